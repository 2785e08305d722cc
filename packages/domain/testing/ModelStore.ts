/**
 * A store for models: a value that a commit turns into another one. What it says is `core/Apply.ts` itself, and what an
 * operation reads and writes is told by the engine's own view (`internal/Attempt.ts`), so a model runs the very commits
 * that the program makes: read set, ranges cut where they were looked at, appends, all.
 *
 * A commit is *sent* and *lands* later: `run` gives the request, `land` judges it on the store of that moment.
 */
import { apply, type View } from "../src/core/Apply.ts"
import type { Cell, CommitRequest, Entry, KeyChange, Range } from "../src/core/Commit.ts"
import type { Key } from "../src/core/Key.ts"
import * as Limits from "../src/core/Limits.ts"
import type { Version } from "../src/core/Version.ts"
import { Attempt } from "../src/internal/Attempt.ts"
import type { Engine } from "../src/internal/Engine.ts"
import type { Reader } from "../src/internal/Reader.ts"
import type { Transacting } from "../src/internal/Transacting.ts"
import { retry, type TxView } from "../src/internal/TxView.ts"

const limits = Limits.make()

export class ModelStore implements View {
  readonly version: Version
  /** In key order. */
  readonly cells: ReadonlyArray<Entry>
  readonly horizon = 0
  readonly limits = limits

  constructor(version: Version = 0, cells: ReadonlyArray<Entry> = []) {
    this.version = version
    this.cells = cells
  }

  cell(key: Key): Cell | undefined {
    const found = this.cells[this.place(key)]
    return found?.key === key ? found.cell : undefined
  }

  entries(start: Key, end: Key): ReadonlyArray<Entry> {
    return this.cells.slice(this.place(start), this.place(end))
  }

  range({ end, limit, reverse, start }: Range): ReadonlyArray<Entry> {
    const entries = this.cells.slice(this.place(start), this.place(end))
    if (reverse === true) entries.reverse()
    return limit === undefined ? entries : entries.slice(0, limit)
  }

  /** It keeps no commits: ranges hold by their entries. */
  changed(): undefined {
    return undefined
  }

  /** It remembers no ids: no request of a model is sent twice. */
  session(): undefined {
    return undefined
  }

  /** Index of the first key that is not before `key`. */
  private place(key: Key): number {
    let low = 0
    let high = this.cells.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.cells[middle]!.key < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** An operation that was run: its result, and the request that makes it true. */
export interface Ran<A> {
  /** `undefined` when it waits. */
  readonly value: A
  /** It asked to wait until something that it read has changed. */
  readonly isWaiting: boolean
  readonly request: CommitRequest
}

const readerOf = (store: ModelStore): Reader => ({
  mayMiss: () => false,
  cell: (_, entry) => {
    entry.base = store.cell(entry.key)
    entry.known = true
  },
  range: (_, range) => store.range(range),
  settle: () => {},
  prefetch: () => {}
})

// An attempt asks its engine for the reader and the limits alone, and its transaction for the time.
const engineOf = (store: ModelStore): Engine => ({ reader: readerOf(store), limits }) as unknown as Engine
const transactingAt = (nowMillis: number): Transacting =>
  ({ isGuarded: false, clock: () => ({ currentTimeMillisUnsafe: () => nowMillis }) }) as unknown as Transacting

/** Runs an operation on a store, in the engine's own view, at a time of the model. */
export const run = <A>(store: ModelStore, operation: (tx: TxView) => A, nowMillis: number = 0): Ran<A | undefined> => {
  const attempt = new Attempt(engineOf(store), transactingAt(nowMillis))
  let value: A | undefined
  let isWaiting = false
  try {
    value = operation(attempt)
  } catch (signal) {
    if (signal !== retry) throw signal
    isWaiting = true
  }
  const { journal } = attempt
  return { value, isWaiting, request: requestOf(store, attempt, isWaiting ? [] : journal.writes()) }
}

const requestOf = ({ version }: ModelStore, { journal }: Attempt, writes: CommitRequest["writes"]): CommitRequest => ({
  id: { session: "a model, which has one", sequence: 0 },
  resolvedBelow: 0,
  base: version,
  atMillis: 0,
  reads: journal.readChecks(),
  ranges: journal.rangeChecks(version),
  writes
})

/** A request in flight, or what somebody waits for a change of. Stale: something of its read set has changed since. */
export interface Pending {
  readonly request: CommitRequest
  readonly isStale: boolean
}

/** The same after a commit. A stale one stays stale, also where what it read comes back. */
export const after = (pending: Pending, changes: ReadonlyArray<KeyChange>): Pending => {
  if (pending.isStale) return pending
  const { ranges, reads } = pending.request
  const isStale = changes.some(
    ({ key }) => reads.some((read) => read.key === key) || ranges.some(({ end, start }) => start <= key && key < end)
  )
  return isStale ? { ...pending, isStale } : pending
}

/** What a request that was sent came to: the store after it, or nothing when it conflicts. */
export interface Landed {
  readonly store: ModelStore
  readonly version: Version
  readonly changes: ReadonlyArray<KeyChange>
}

/** Judges a request by `apply`. Throws where a request that is not stale conflicts, or is refused. */
export const land = (store: ModelStore, { isStale, request }: Pending): Landed | undefined => {
  if (isStale) return undefined
  const { delta, replies } = apply(store, [request])
  const reply = replies[0]!
  if (reply._tag !== "Committed") {
    throw new Error(`a request whose read set did not change was answered ${JSON.stringify(reply)}`)
  }
  const changes = delta.commits[0]?.changes ?? []
  return { store: changed(store, delta.version, changes), version: reply.version, changes }
}

const changed = (store: ModelStore, version: Version, changes: ReadonlyArray<KeyChange>): ModelStore => {
  if (changes.length === 0) return store
  const cells: Array<Entry> = []
  let at = 0
  for (const entry of store.cells) {
    while (at < changes.length && changes[at]!.key < entry.key) push(cells, changes[at++]!)
    if (at < changes.length && changes[at]!.key === entry.key) push(cells, changes[at++]!)
    else cells.push(entry)
  }
  while (at < changes.length) push(cells, changes[at++]!)
  return new ModelStore(version, cells)
}

const push = (cells: Array<Entry>, { after: cell, key }: KeyChange): void => {
  if (cell !== undefined) cells.push({ key, cell })
}

/** Each word once, by a character of its own: keys of states are short, whatever the words are. */
const characters = new Map<string, string>()
const firstCharacter = 0x100
const charactersMax = 0xf000

const characterOf = (word: string): string => {
  let character = characters.get(word)
  if (character === undefined) {
    const { size } = characters
    const [high, low] = [Math.floor(size / charactersMax), size % charactersMax]
    // Words beyond the first many have two characters, the first of which begins no shorter one.
    character = high === 0 ? "" : String.fromCharCode(firstCharacter + charactersMax + high)
    characters.set(word, (character += String.fromCharCode(firstCharacter + low)))
  }
  return character
}

/**
 * Writes a state down so that versions count by their order alone: two states that differ in the numbers, but not in their
 * order, have the same future. At most 256 different versions.
 */
export const canonical = (words: ReadonlyArray<string | Version>): string => {
  const versions = words.filter((word) => typeof word === "number")
  const ranks = new Map([...new Set(versions)].sort((a, b) => a - b).map((version, rank) => [version, rank]))
  if (ranks.size > firstCharacter) throw new RangeError(`a state has ${ranks.size} versions, at most ${firstCharacter}`)
  let text = ""
  for (const word of words) text += typeof word === "number" ? String.fromCharCode(ranks.get(word)!) : characterOf(word)
  return text
}
