/**
 * Who waits for which change: blocked transactions by key and by range. A waiter stands on the version of its read: commits
 * up to it are part of what it saw and do not wake it; later ones wake it if and only if they touch what it read.
 *
 * Cost of a commit: one map look-up per key it touches, and a test per distinct range waited on (many waiters of one range
 * share it).
 */
import type { Key } from "../core/Key.ts"
import type { Version } from "../core/Version.ts"

/** One blocked transaction. */
export interface Waiter {
  readonly keys: ReadonlyArray<Key>
  readonly ranges: ReadonlyArray<{ readonly start: Key; readonly end: Key }>
  /** Everything up to it was seen. */
  readonly version: Version
  /** Called once, from a microtask of its own, never on the committer's stack. */
  readonly wake: () => void
}

interface WatchedRange {
  readonly start: Key
  readonly end: Key
  readonly waiters: Set<Waiter>
}

/** Empty slots kept beyond the live ones: deleting and adding a hot key again costs V8 a walk over all deleted slots. */
const idleMax = 1024

/** The index of waiters of one engine. */
export class Waiters {
  private byKey = new Map<Key, Set<Waiter>>()
  private byRange = new Map<string, WatchedRange>()
  private idle = 0
  private readonly all = new Set<Waiter>()
  private woken: Array<Waiter> = []
  /** Waiters woken so far: for tests that count what a change costs. */
  wakeUps = 0

  get size(): number {
    return this.all.size
  }

  add(waiter: Waiter): void {
    this.all.add(waiter)
    for (const key of waiter.keys) {
      const slot = this.byKey.get(key)
      if (slot === undefined) this.byKey.set(key, new Set([waiter]))
      else {
        if (slot.size === 0) this.idle--
        slot.add(waiter)
      }
    }
    for (const { end, start } of waiter.ranges) {
      const name = `${start.length}:${start}${end}`
      const slot = this.byRange.get(name)
      if (slot === undefined) this.byRange.set(name, { start, end, waiters: new Set([waiter]) })
      else slot.waiters.add(waiter)
    }
  }

  /** `false` when it was woken or removed before. */
  remove(waiter: Waiter): boolean {
    if (!this.all.delete(waiter)) return false
    for (const key of waiter.keys) {
      const slot = this.byKey.get(key)!
      if (slot.delete(waiter) && slot.size === 0) this.idle++
    }
    for (const { end, start } of waiter.ranges) {
      const name = `${start.length}:${start}${end}`
      const slot = this.byRange.get(name)
      if (slot === undefined) continue
      slot.waiters.delete(waiter)
      if (slot.waiters.size === 0) this.byRange.delete(name)
    }
    if (this.idle > idleMax && this.idle > this.byKey.size / 2) this.sweep()
    return true
  }

  /** A commit touched these keys. */
  notify(version: Version, keys: Iterable<Key>): void {
    if (this.all.size === 0) return
    for (const key of keys) {
      const slot = this.byKey.get(key)
      if (slot !== undefined) for (const waiter of slot) this.wake(waiter, version)
      for (const range of this.byRange.values()) {
        if (key >= range.start && key < range.end) for (const waiter of range.waiters) this.wake(waiter, version)
      }
    }
  }

  /** Everybody, e.g. because changes were missed and each must look again. */
  snapshot(): ReadonlyArray<Waiter> {
    return [...this.all]
  }

  /** Wakes one whose read set is known to have changed. */
  wakeNow(waiter: Waiter): void {
    this.wake(waiter, Number.POSITIVE_INFINITY)
  }

  private wake(waiter: Waiter, version: Version): void {
    if (version <= waiter.version || !this.remove(waiter)) return
    this.wakeUps++
    if (this.woken.push(waiter) === 1) queueMicrotask(() => this.resume())
  }

  private resume(): void {
    const woken = this.woken
    this.woken = []
    for (const waiter of woken) waiter.wake()
  }

  private sweep(): void {
    const live = new Map<Key, Set<Waiter>>()
    for (const [key, slot] of this.byKey) if (slot.size > 0) live.set(key, slot)
    this.byKey = live
    this.idle = 0
  }
}
