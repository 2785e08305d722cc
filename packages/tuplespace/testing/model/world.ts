/** What a world of the tuple model is made of: processes, clients with scripts, what may go wrong how often, and the state. */
import { type Access, codecOf, Collection } from "@weft/domain/Collection"
import type { Codec } from "@weft/domain/Codec"
import type { Key } from "@weft/domain/core/Key"
import type { Version } from "@weft/domain/core/Version"
import type { TxView } from "@weft/domain/internal/TxView"
import type { Janitor } from "@weft/domain/testing/ModelSessions"
import type { ModelStore, Pending } from "@weft/domain/testing/ModelStore"
import * as Schema from "effect/Schema"
import type { Compiled } from "../../src/core/Template.ts"
import type { Pair } from "../../src/internal/matching.ts"
import { type Built, SpaceCells, type Taken } from "../../src/internal/SpaceCells.ts"
import type { Readied } from "../../src/internal/Tickets.ts"

/** Tuples of the model: a word, and a number that no other tuple has. */
export type Tuple = readonly [word: string, id: number]

/** One thing that a client does. */
export type Act =
  /** `expires`: its time is over as soon as time passes. */
  | { readonly act: "out"; readonly tuple: Tuple; readonly expires?: boolean }
  | { readonly act: "take" | "takeIfPresent" | "read"; readonly template: ReadonlyArray<unknown> }
  /** `isDone`: its work gets done; otherwise its scope closes without. */
  | { readonly act: "lease"; readonly template: ReadonlyArray<unknown>; readonly isDone: boolean }

export interface Faults {
  /** Clients that are cancelled. */
  readonly cancels?: number
  /** Processes that end without a word. */
  readonly crashes?: number
  /** Sessions of living processes that are removed as dead: a pause beyond the lease, or any clock. */
  readonly expiries?: number
}

export interface World {
  readonly name: string
  /** Scripts of the clients of each process. */
  readonly processes: ReadonlyArray<ReadonlyArray<ReadonlyArray<Act>>>
  readonly faults: Faults
  /** Times a tuple comes back before it is a dead letter. Default 3. */
  readonly returnsMax?: number
  /** Whether time passes once. */
  readonly passes?: boolean
  /**
   * Whether a process matches what its follower has heard of, and helps others later, as the program does; otherwise any
   * process that waits may hand over anything at any time, which is more than the program does and far fewer states.
   */
  readonly isFollowing?: boolean
}

/** What a client has sent: its commit lands later. */
export type Kind =
  | "out"
  | "register"
  | "index"
  | "first"
  | "ticket"
  | "open"
  | "receive"
  | "leaseFirst"
  | "done"
  | "release"
  | "cancel"
  | "putBack"

export interface Sent {
  readonly kind: Kind
  readonly value: unknown
  readonly pending: Pending
}

export interface Client {
  readonly name: string
  readonly process: number
  readonly script: ReadonlyArray<Act>
  readonly at: number
  /** Rounds of the present act: a take whose session ended asks anew. */
  readonly round: number
  /** Of the session that it found ended. */
  readonly life: number
  readonly phase: "sent" | "begin" | "follow" | "await" | "look" | "hold" | "listen" | "idle" | "done"
  readonly sent: Sent | undefined
  readonly watch: Pending | undefined
  readonly template: Compiled | undefined
  /** Place up to which a new index is built. */
  readonly built: Built | undefined
  /** Session and nonce of the take under way, from before its ticket stands until it is delivered. */
  readonly taking: { readonly sid: string; readonly nonce: string } | undefined
  readonly willKey: Key | undefined
  /** What is in hand and has to go back when the client is cancelled. */
  readonly taken: Taken<Tuple> | undefined
  /** Snapshot of a waiting reader's look. */
  readonly snapshot: Version
  /** A waiting reader was owed a tuple. */
  readonly isOwed: boolean
  readonly isEnding: boolean
}

/** A tuple that was put out or back, as a follower hears of it. */
export interface Put {
  readonly key: Key
  readonly tuple: Tuple
  readonly version: Version
}

export interface Hand {
  readonly pairs: ReadonlyArray<Pair<Tuple>>
  readonly isCut: boolean
  readonly fresh: Fresh
  readonly pending: Pending
}

/** Keys of what has changed since it was last looked at. */
export interface Fresh {
  readonly tickets: ReadonlyArray<Key>
  readonly tuples: ReadonlyArray<Key>
}

/** One process: its session, its follower, its matcher. */
export interface Process {
  readonly life: number
  readonly sid: string
  readonly isDead: boolean
  readonly isFollowing: boolean
  /** Commits that it has not heard of. */
  readonly unheard: ReadonlyArray<Put>
  readonly fresh: Fresh
  /** A hand-over in flight, and what a helper will look at again. */
  readonly hand: Hand | undefined
  readonly help: Fresh | undefined
  readonly helping: Hand | undefined
}

export interface State {
  readonly store: ModelStore
  readonly now: number
  readonly processes: ReadonlyArray<Process>
  readonly clients: ReadonlyArray<Client>
  readonly janitors: ReadonlyArray<Janitor>
  readonly cancels: number
  readonly crashes: number
  readonly expiries: number
  readonly passes: boolean
  /** Ids of tuples that were put out. */
  readonly put: ReadonlyArray<number>
  /** Ids of tuples that reached somebody for good. */
  readonly consumed: ReadonlyArray<number>
  /** Ids of tuples that came back at least once. */
  readonly returned: ReadonlyArray<number>
  readonly fault: string | undefined
}

/** What all states of a world share: the cells of its space, and templates as each process decides them. */
export interface Place {
  readonly cells: SpaceCells<Tuple>
  readonly readied: ReadonlyArray<Readied>
  readonly isFollowing: boolean
}

const base = new Collection<Tuple>({
  name: "s",
  kind: "TupleSpace()",
  value: codecOf(Schema.Tuple([Schema.String, Schema.Number])) as Codec<Tuple>
})

export const cellsOf = (returnsMax: number): SpaceCells<Tuple> => new SpaceCells(base, returnsMax)

const opened = { number: 1, readers: new Map() }

/** What an operation of the space works with: its values are of this program's own Schema. */
export const access = (tx: TxView): Access => ({ tx, opened, resolved: undefined })

export const nothing: Fresh = { tickets: [], tuples: [] }

export const sidOf = (process: number, life: number): string => `${"pqrs"[process]}${life}`

/** Names a take within its process. */
export const nonceOf = ({ at, name, round }: Client): string => `${name}${at}.${round}`
