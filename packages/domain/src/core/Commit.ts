/**
 * What a transaction asks of a store and what it hears back: plain data, the same in memory, in a log and on a wire.
 * Pure. The meaning is in `Apply.ts`; the words are those of docs/CONTRACT.md.
 */
import type { Key } from "./Key.ts"
import type { Value } from "./Value.ts"
import type { Version } from "./Version.ts"

/** A value with the version of the commit that wrote it. */
export interface Cell {
  readonly value: Value
  readonly version: Version
}

/** A cell under its key, as ranges return it. */
export interface Entry {
  readonly key: Key
  readonly cell: Cell
}

/** Keys from `start` (included) to `end` (excluded), by byte order; at most `limit` of them; from the end when `reverse`. */
export interface Range {
  readonly start: Key
  readonly end: Key
  readonly limit?: number | undefined
  readonly reverse?: boolean | undefined
}

/** Keys and ranges to read at one version. */
export interface ReadRequest {
  readonly keys: ReadonlyArray<Key>
  readonly ranges: ReadonlyArray<Range>
  /** As of this version if the store still has it, else at a newer one. */
  readonly at?: Version | undefined
}

export interface ReadReply {
  /** The one version of everything below. */
  readonly version: Version
  /** In the order asked; `undefined` is absence. */
  readonly cells: ReadonlyArray<Cell | undefined>
  /** In the order asked, each in key order (descending when `reverse`). */
  readonly ranges: ReadonlyArray<ReadonlyArray<Entry>>
  /** When `version` is not the `at` asked for: keys changed in (at, version], or that the store does not know them. */
  readonly changed?: ReadonlyArray<Key> | "unknown" | undefined
}

/** Identity of one commit. `sequence` rises within a session; a resent request carries the same id. */
export interface CommitId {
  /** Names one engine in one process life; 22 latin1 characters from a random source. */
  readonly session: string
  readonly sequence: number
}

/**
 * A key that was read and what must still hold. Exactly one of:
 * - `after` undefined: the cell has version `version` (0: absent);
 * - `after` = i: the cell is as request i of this same batch wrote it, which took effect, and nothing wrote it since.
 */
export interface ReadCheck {
  readonly key: Key
  readonly version: Version
  readonly after?: number | undefined
}

/**
 * A range that was read: its *footprint*, from `start` to `end`, already cut at the last key returned when a limit was
 * reached (so there is no limit here), and what must still hold:
 * - no key in it was written or deleted since `version`, by the store's recent commits, or, where the store does not
 *   remember that far, its entries are still exactly `entries` (keys and versions); without `entries` it conflicts;
 * - with `after` = i, it was read on top of requests 0..i of this batch: the first rule is judged on the store before the
 *   batch, every request j <= i that writes in the range must have taken effect, and none between i and this one may have
 *   written in it.
 */
export interface RangeCheck {
  readonly start: Key
  readonly end: Key
  readonly version: Version
  readonly after?: number | undefined
  readonly entries?: ReadonlyArray<{ readonly key: Key; readonly version: Version }> | undefined
}

/** Writes of a request, in order; a later one of the same key wins, but `Add` adds up. */
export type Write = Set | Delete | DeleteRange | Add | Append

export interface Set {
  readonly _tag: "Set"
  readonly key: Key
  readonly value: Value
}

/** Deletes one key; deleting an absent key is no effect. */
export interface Delete {
  readonly _tag: "Delete"
  readonly key: Key
}

/** Deletes all keys of [start, end) as they are when the request takes effect. */
export interface DeleteRange {
  readonly _tag: "DeleteRange"
  readonly start: Key
  readonly end: Key
}

/** Adds a safe integer to a counter cell (absent: 0). Commutes: reads nothing. Refused when the cell is no counter or the sum leaves the safe integers. */
export interface Add {
  readonly _tag: "Add"
  readonly key: Key
  readonly delta: number
}

/**
 * Sets the key `prefix + stamp + suffix`, where the stamp is the encoded versionstamp part of (version of this request,
 * `index`). Order costs no read. `index` is 0 to 65,535 and the same for all keys of one ticket.
 */
export interface Append {
  readonly _tag: "Append"
  readonly prefix: Key
  readonly index: number
  readonly suffix: Key
  readonly value: Value
}

/** One transaction's commit. All or nothing. */
export interface CommitRequest {
  /** Undefined only for a request without writes. */
  readonly id: CommitId | undefined
  /** Sequences of this session below it are resolved: the store may forget them and refuses them from then on. */
  readonly resolvedBelow: number
  /** The snapshot the body read at; of another epoch or older than the store's memory of outcomes it is refused (`TooOld`). */
  readonly base: Version
  /** Wall clock of the proposer in milliseconds since 1970: information for readers of `changes`, never decided by. */
  readonly atMillis: number
  readonly reads: ReadonlyArray<ReadCheck>
  readonly ranges: ReadonlyArray<RangeCheck>
  readonly writes: ReadonlyArray<Write>
  /** Writes nothing, but closes the id: if it was never seen, it is `Rejected` from now on, so that an answer is final. */
  readonly seal?: true | undefined
  /**
   * `"relaxed"`: need not be on the disk when it is acknowledged. A hint: a store may take it only where all who use the
   * store die with what it would lose (docs/CONTRACT.md, "Relaxed commits").
   */
  readonly durability?: Durability | undefined
}

/** What else than the usual may be asked of a commit. */
export type Durability = "relaxed"

export type Reply = Committed | Conflict | TooOld | Refused

/**
 * Took effect at `version`. A request without effect (no writes, or only deletes of absent keys) takes no number: its
 * version is the store's at that point. Stamps of its appends are (version, index).
 */
export interface Committed {
  readonly _tag: "Committed"
  readonly version: Version
}

/** What no longer holds. Nothing was written. */
export interface Conflict {
  readonly _tag: "Conflict"
  readonly keys: ReadonlyArray<{ readonly key: Key; readonly expected: Version; readonly actual: Version }>
  readonly ranges: ReadonlyArray<{ readonly start: Key; readonly end: Key; readonly expected: Version }>
  /** Index within the batch of a refused request that this one stood on. */
  readonly dependsOn?: number | undefined
  /** The store's version when it was refused: a snapshot to go on from. */
  readonly version: Version
}

/** The base is of another epoch, or older than what the store remembers, or the id is below its session's `resolvedBelow`: applying could apply twice. */
export interface TooOld {
  readonly _tag: "TooOld"
  /** Oldest base that is accepted now. */
  readonly horizon: Version
  readonly version: Version
}

/** The request can never take effect: nothing was written. */
export interface Refused {
  readonly _tag: "Refused"
  readonly reason: "InvalidInput" | "LimitExceeded"
  readonly key?: Key | undefined
  readonly message: string
}

/** What became of an id. `Forgotten`: older than the store's memory; whether it took effect is no longer known. */
export type Outcome =
  | { readonly _tag: "Committed"; readonly version: Version }
  | { readonly _tag: "Rejected" }
  | { readonly _tag: "Forgotten" }

/** One key's change within a commit; `undefined` is absence. With `values: false` both sides are left out. */
export interface KeyChange {
  readonly key: Key
  readonly before?: Cell | undefined
  readonly after?: Cell | undefined
}

/** A commit as the change stream tells it. */
export interface CommitRecord {
  readonly _tag: "Commit"
  readonly version: Version
  readonly id: CommitId
  readonly atMillis: number
  /** Every key touched, once, in key order: those of deleted ranges and results of adds too. */
  readonly changes: ReadonlyArray<KeyChange>
}

/** Nothing that matched up to `version`: resume from here. */
export interface Progress {
  readonly _tag: "Progress"
  readonly version: Version
}

/** Commits between `from` and `to` are not known any more (trimmed, or another life of the store): read the state again at `to`. */
export interface Gap {
  readonly _tag: "Gap"
  readonly from: Version
  readonly to: Version
  readonly reason: "trimmed" | "epoch" | "overrun"
}

export type Change = CommitRecord | Progress | Gap

/** What to follow of the commits. */
export interface ChangesRequest {
  /** Commits after this version. */
  readonly from: Version
  /** Only keys within these; all when empty or left out. */
  readonly ranges?: ReadonlyArray<{ readonly start: Key; readonly end: Key }> | undefined
  /** `false`: keys alone, for waiters. */
  readonly values: boolean
}
