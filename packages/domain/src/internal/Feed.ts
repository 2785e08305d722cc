/**
 * The one feed of changes that an engine keeps for its waiters: begun when the first one waits, kept until the store is
 * closed. A gap in it loses no wake-up: every waiter looks again.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Change } from "../core/Commit.ts"
import type { Key } from "../core/Key.ts"
import type { Version } from "../core/Version.ts"
import type { Attempt } from "./Attempt.ts"
import type { Engine } from "./Engine.ts"

/** Pause before a feed that broke is begun again where it stood, in milliseconds: the first, doubling up to the last. */
const restartFirstMillis = 5
const restartMaxMillis = 1_000

/** Commits remembered at least, so that a waiter that comes a little late needs no look at the store. */
const recentMax = 256

export class Feed {
  private readonly engine: Engine
  private readonly lookAgain: () => Effect.Effect<void>
  /** Commits up to here were told to the waiters; -1 while there is no feed. */
  position: Version = -1
  /** The newest commits told, and the version after which they begin. */
  private readonly recent: Array<{ readonly version: Version; readonly keys: ReadonlyArray<Key> }> = []
  private recentFrom: Version = -1
  private pauseMillis = restartFirstMillis

  constructor(engine: Engine, lookAgain: () => Effect.Effect<void>) {
    this.engine = engine
    this.lookAgain = lookAgain
  }

  /** Begins the feed after `version` unless it is there. */
  start(version: Version): void {
    if (this.position >= 0) return
    this.position = version
    this.recentFrom = version
    this.engine.fork(this.run)
  }

  private remember(version: Version, keys: ReadonlyArray<Key>): void {
    this.recent.push({ version, keys })
    if (this.recent.length < 2 * recentMax) return
    const dropped = this.recent.splice(0, recentMax)
    this.recentFrom = dropped[recentMax - 1]!.version
  }

  /** Whether what an attempt read was touched after `since`, as far as told; `undefined` when it is not remembered. */
  hasTouched({ journal }: Attempt, since: Version): boolean | undefined {
    if (this.position <= since) return false
    if (since < this.recentFrom) return undefined
    for (let i = this.recent.length - 1; i >= 0 && this.recent[i]!.version > since; i--) {
      for (const key of this.recent[i]!.keys) {
        if (journal.find(key)?.read === true) return true
        for (const { end, start } of journal.ranges ?? []) if (key >= start && key < end) return true
      }
    }
    return false
  }

  private readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.andThen(
        Effect.exit(
          Stream.runForEachArray(
            Stream.suspend(() => this.engine.backend.changes({ from: this.position, values: false })),
            (changes) => this.take(changes)
          )
        ),
        Effect.suspend(() => {
          const pause = this.pauseMillis
          this.pauseMillis = Math.min(pause * 2, restartMaxMillis)
          return Effect.sleep(pause)
        })
      )
    )
  )

  private take(changes: ReadonlyArray<Change>): Effect.Effect<void> {
    this.pauseMillis = restartFirstMillis
    let hasGap = false
    for (const change of changes) {
      if (change._tag === "Commit") {
        if (change.version <= this.position) continue
        this.position = change.version
        const keys = change.changes.map(({ key }) => key)
        this.remember(change.version, keys)
        this.engine.waiters.notify(change.version, keys)
      } else if (change._tag === "Progress") this.position = Math.max(this.position, change.version)
      else {
        this.position = change.to
        this.recent.length = 0
        this.recentFrom = change.to
        hasGap = true
      }
    }
    return hasGap ? this.lookAgain() : Effect.void
  }
}
