/**
 * Random batches of requests, drawn beside a model so that many of them hold: every kind of check and write, chained on
 * each other, stale, doubled, sealed. Pure but for the draws.
 */
import type { CommitRequest, RangeCheck, ReadCheck, Write } from "../../src/core/Commit.ts"
import { stampBytes } from "../../src/core/KeyCodec.ts"
import { fromCounter } from "../../src/core/Value.ts"
import * as Version from "../../src/core/Version.ts"
import type { Prng } from "../Prng.ts"
import type { Model } from "./Model.ts"
import { text } from "./values.ts"

/** Keys of a history: few, so that they meet. */
const names = ["a", "b", "b\0", "ba", "c", "d", "n", "n1"]
const bounds = ["", "a", "b", "b\0", "bb", "c", "d", "n", "o", "q", "q3", "r", "\xff"]
const prefixes = ["q", "qa"]

/** How wild a history is: weights drawn once per history, some of them zero, so that rare mixes come up too. */
interface Temper {
  readonly stale: number
  readonly chained: number
  readonly ranges: number
  readonly bulk: number
  readonly doubled: number
  readonly sealed: number
  readonly resolved: number
  readonly broken: number
  readonly batch: number
}

export class HistoryMaker {
  private readonly model: Model
  private readonly draw: Prng
  private readonly temper: Temper
  private readonly sent: Array<CommitRequest> = []
  private readonly sequences = new Map<string, number>()
  private readonly sessions: ReadonlyArray<string>
  /** Versions that a snapshot may have been taken at. */
  private readonly seen: Array<Version.Version>

  constructor(model: Model, draw: Prng, name: string) {
    this.model = model
    this.draw = draw
    const some = (most: number): number => (draw.chance(0.3) ? 0 : draw.unit() * most)
    this.temper = {
      stale: some(0.3),
      chained: some(0.8),
      ranges: some(0.5),
      bulk: some(0.3),
      doubled: some(0.3),
      sealed: some(0.1),
      resolved: some(0.3),
      broken: some(0.05),
      batch: draw.pick([1, 1, 2, 4, 8])
    }
    this.sessions = ["x", "y", "z"].map((one) => `${name}-${one}`.padEnd(22, "."))
    this.seen = [model.version]
  }

  /** The next batch. To be committed to the model before the next is drawn. */
  batch(): ReadonlyArray<CommitRequest> {
    if (this.seen[this.seen.length - 1] !== this.model.version) this.seen.push(this.model.version)
    const batch: Array<CommitRequest> = []
    const count = this.draw.between(1, this.temper.batch)
    for (let i = 0; i < count; i++) {
      const double = this.draw.chance(this.temper.doubled) && this.sent.length > 0
      const request = double ? this.draw.pick(this.sent) : this.request(batch)
      // What stands on its batch has another meaning in another place.
      const isMovable = [...request.reads, ...request.ranges].every(({ after }) => after === undefined)
      batch.push(request)
      if (!double && isMovable) this.sent.push(request)
    }
    return batch
  }

  private request(batch: ReadonlyArray<CommitRequest>): CommitRequest {
    const { draw, temper } = this
    const session = draw.pick(this.sessions)
    const sequence = (this.sequences.get(session) ?? -1) + draw.between(1, 2)
    this.sequences.set(session, sequence)
    const reads = Array.from({ length: draw.below(3) }, () => this.read(batch))
    const ranges = draw.chance(temper.ranges) ? [this.range(batch)] : []
    const writes = Array.from({ length: draw.chance(temper.bulk) ? draw.below(24) : draw.below(3) }, () => this.write())
    const isSeal = draw.chance(temper.sealed)
    return {
      id: writes.length === 0 && !isSeal && draw.chance(0.7) ? undefined : { session, sequence },
      resolvedBelow: draw.chance(temper.resolved) ? Math.max(0, sequence - draw.below(6)) : 0,
      base: this.base(),
      atMillis: draw.below(1_000_000),
      reads,
      ranges,
      writes,
      ...(isSeal ? { seal: true as const } : {})
    }
  }

  private base(): Version.Version {
    const { draw, model } = this
    if (draw.chance(this.temper.broken)) return draw.pick([model.version + 3, Version.nextEpoch(model.version)])
    return draw.chance(0.5) ? model.version : draw.pick(this.seen)
  }

  private after(batch: ReadonlyArray<CommitRequest>): number | undefined {
    const { draw } = this
    if (batch.length === 0 || !draw.chance(this.temper.chained)) {
      return draw.chance(this.temper.broken) ? draw.pick([batch.length, batch.length + 1, -1, 0.5]) : undefined
    }
    return draw.chance(0.7) ? batch.length - 1 : draw.below(batch.length)
  }

  private read(batch: ReadonlyArray<CommitRequest>): ReadCheck {
    const { draw, model } = this
    const after = this.after(batch)
    let key = this.key()
    if (after !== undefined && draw.chance(0.8)) {
      const keys = (batch[after]?.writes ?? []).flatMap((write) =>
        write._tag === "DeleteRange" || write._tag === "Append" ? [] : [write.key]
      )
      if (keys.length > 0) key = draw.pick(keys)
    }
    const actual = model.cell(key)?.version ?? Version.none
    const version = draw.chance(this.temper.stale) ? draw.pick([Version.none, model.version, actual + 1]) : actual
    return after === undefined ? { key, version } : { key, version, after }
  }

  private range(batch: ReadonlyArray<CommitRequest>): RangeCheck {
    const { draw, model } = this
    const [start, end] = this.bounds()
    const after = this.after(batch)
    const version = draw.chance(this.temper.stale) ? draw.pick([...this.seen, model.version + 1]) : model.version
    const entries = draw.chance(0.5)
      ? model.entries(start, end).map(({ cell, key }) => ({ key, version: cell.version }))
      : undefined
    if (entries !== undefined && draw.chance(this.temper.stale)) entries.pop()
    return {
      start,
      end,
      version,
      ...(after === undefined ? {} : { after }),
      ...(entries === undefined ? {} : { entries })
    }
  }

  /** Mostly rising. */
  private bounds(): readonly [string, string] {
    const { draw } = this
    const a = draw.pick(bounds)
    const b = draw.pick(bounds)
    return a <= b || draw.chance(0.1) ? [a, b] : [b, a]
  }

  /** A key that may be there: a name, or one that was appended. */
  private key(): string {
    const { draw, model } = this
    if (!draw.chance(0.1)) return draw.pick(names)
    // One step ahead: the key that an append of this very request may come to have.
    return draw.pick(prefixes) + stampBytes(Math.max(0, model.version + 1 - draw.below(4)), draw.below(2))
  }

  private write(): Write {
    const { draw } = this
    const kind = draw.unit()
    if (kind < 0.35)
      return {
        _tag: "Set",
        key: this.key(),
        value: draw.chance(0.3) ? fromCounter(draw.below(100)) : text(`v${draw.below(1000)}`)
      }
    if (kind < 0.55) return { _tag: "Delete", key: this.key() }
    if (kind < 0.75) {
      const delta = draw.chance(this.temper.broken)
        ? draw.pick([0.5, Number.MAX_SAFE_INTEGER, NaN])
        : draw.between(-3, 3)
      return { _tag: "Add", key: draw.chance(0.8) ? draw.pick(["n", "n1"]) : this.key(), delta }
    }
    if (kind < 0.9) {
      return {
        _tag: "Append",
        prefix: draw.pick(prefixes),
        index: draw.below(3),
        suffix: draw.pick(["", "s"]),
        value: text(`i${draw.below(1000)}`)
      }
    }
    const [start, end] = this.bounds()
    return { _tag: "DeleteRange", start, end }
  }
}
