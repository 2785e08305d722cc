/**
 * Turns: transactions of this process that fought over a key take it one after another, the oldest transaction first.
 *
 * A turn is a hint for speed and fairness, never for correctness: whoever holds one longer than `turnHold` loses it, and
 * the next goes ahead. Only keys that were fought over have a turn, so work without conflicts pays one test of a number.
 * No clock is read when a turn is taken or passed on: a sweep every `turnHold`, running only while somebody waits, takes
 * turns away from holders that it met before.
 */
import type { Key } from "../core/Key.ts"

/** Whoever holds or waits for turns: a transaction over all of its attempts. `birth` orders them by age. */
export interface TurnTaker {
  readonly birth: number
}

interface Waiter {
  readonly taker: TurnTaker
  readonly granted: () => void
}

interface Turn {
  readonly key: Key
  holder: TurnTaker | undefined
  /** Set by the sweep that met this holder; a second meeting takes the turn away. */
  met: boolean
  readonly waiters: Array<Waiter>
  /** How often in a row it was given back with nobody waiting. */
  calm: number
}

/** A key whose turn nobody waited for so many times in a row is forgotten. */
const calmMax = 64
/** Resumptions in one go; the rest is scheduled, so that stacks stay flat and other work gets its time. */
const handOverMax = 32

/** All turns of one engine. */
export class Turns {
  /** Keys that have a turn now. */
  private readonly turns = new Map<Key, Turn>()
  private waiting = 0
  private sweeping = false
  private readonly ready: Array<() => void> = []
  private draining = false
  private readonly startSweep: () => void
  private readonly later: (task: () => void) => void

  /** `startSweep` must call `sweep` every `turnHold` until it answers `false`; `later` runs a task on a fresh stack. */
  constructor(startSweep: () => void, later: (task: () => void) => void) {
    this.startSweep = startSweep
    this.later = later
  }

  /** Whether any key was fought over lately. */
  get any(): boolean {
    return this.turns.size > 0
  }

  /** From now on `key` is taken by turns. */
  heat(key: Key): void {
    const turn = this.turns.get(key)
    if (turn === undefined) this.turns.set(key, { key, holder: undefined, met: false, waiters: [], calm: 0 })
    else turn.calm = 0
  }

  /** Whether the key has no turn, or it is free and now the taker's. Adds the key to `held` when it took a turn. */
  tryTake(key: Key, taker: TurnTaker, held: Array<Key>): boolean {
    const turn = this.turns.get(key)
    if (turn === undefined || turn.holder === taker) return true
    if (turn.holder !== undefined || turn.waiters.length > 0) return false
    turn.holder = taker
    turn.met = false
    held.push(key)
    return true
  }

  /** Waits for a turn that `tryTake` refused. The result gives up waiting. The holder is recorded before `granted` runs. */
  wait(key: Key, taker: TurnTaker, held: Array<Key>, granted: () => void): () => void {
    const turn = this.turns.get(key)
    if (turn === undefined) {
      granted()
      return () => {}
    }
    const waiter: Waiter = {
      taker,
      granted: () => {
        held.push(key)
        granted()
      }
    }
    let at = turn.waiters.length
    while (at > 0 && turn.waiters[at - 1]!.taker.birth > taker.birth) at--
    turn.waiters.splice(at, 0, waiter)
    this.waiting++
    if (turn.holder === undefined) {
      this.pass(turn)
      this.drain()
    } else if (!this.sweeping) {
      this.sweeping = true
      this.startSweep()
    }
    return () => {
      const index = turn.waiters.indexOf(waiter)
      if (index < 0) return
      turn.waiters.splice(index, 1)
      this.waiting--
    }
  }

  /** Gives back all turns in `held` and empties it. */
  release(taker: TurnTaker, held: Array<Key>): void {
    for (const key of held) {
      const turn = this.turns.get(key)
      if (turn === undefined || turn.holder !== taker) continue
      turn.holder = undefined
      if (turn.waiters.length > 0) {
        turn.calm = 0
        this.pass(turn)
      } else if (++turn.calm > calmMax) this.turns.delete(key)
    }
    held.length = 0
    this.drain()
  }

  /** Takes turns away from holders met by the sweep before. `false` when nobody waits any more. */
  sweep(): boolean {
    for (const turn of this.turns.values()) {
      if (turn.waiters.length === 0) continue
      if (turn.holder === undefined || turn.met) this.pass(turn)
      else turn.met = true
    }
    this.drain()
    this.sweeping = this.waiting > 0
    return this.sweeping
  }

  private pass(turn: Turn): void {
    const next = turn.waiters.shift()
    if (next === undefined) return
    this.waiting--
    turn.holder = next.taker
    turn.met = false
    this.ready.push(next.granted)
  }

  /** Resumes those whose turn came, in a loop rather than each on the stack of the one before. */
  private drain(): void {
    if (this.draining) return
    this.draining = true
    let resumed = 0
    try {
      for (let next = this.ready.shift(); next !== undefined; next = this.ready.shift()) {
        next()
        if (++resumed === handOverMax && this.ready.length > 0) {
          this.later(() => this.drain())
          return
        }
      }
    } finally {
      this.draining = false
    }
  }
}
