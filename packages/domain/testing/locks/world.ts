/** What a world of the lock model is made of: clients with scripts, what may go wrong how often, and the state of it all. */
import type { Maxima, Use } from "../../src/core/FenceRules.ts"
import type { Key } from "../../src/core/Key.ts"
import * as Cells from "../../src/core/LockCells.ts"
import * as Rules from "../../src/core/LockRules.ts"
import type { NodeMode } from "../../src/core/LockRules.ts"
import type { Version } from "../../src/core/Version.ts"
import * as Lock from "../../src/LockModel.ts"
import type { Janitor } from "../ModelSessions.ts"
import type { ModelStore, Pending } from "../ModelStore.ts"

/** Paths to share and paths to have alone. */
export interface Request {
  readonly read?: ReadonlyArray<string>
  readonly write?: ReadonlyArray<string>
}

/** One thing that a client does. `give` gives the newest lock back; `use` shows its token to the outside resource of a node. */
export type Act =
  | { readonly act: "take" | "upgrade" | "downgrade"; readonly request: Request }
  | { readonly act: "write"; readonly node: string }
  | { readonly act: "use"; readonly node: string; readonly use: Use }
  | { readonly act: "give" }

/** How often each thing may go wrong, over all clients. */
export interface Faults {
  readonly cancels?: number
  readonly crashes?: number
  /** Sessions of living clients removed as dead: a pause beyond the lease, or any clock. */
  readonly expiries?: number
  /** Signs of life that may come between a removal's look and its commit. */
  readonly bumps?: number
}

export interface World {
  readonly name: string
  readonly scripts: ReadonlyArray<ReadonlyArray<Act>>
  readonly faults: Faults
  /**
   * Whether the first client alone may crash. In a world that stays the same when clients and nodes are renamed in a circle, its
   * crash stands for that of any other: nothing in the model goes by names.
   */
  readonly firstAloneCrashes?: boolean | undefined
}

/** A lock that a client holds. */
export interface Grip {
  readonly sid: string
  readonly stamp: Key
  readonly recordKey: Key
  readonly at: Version
  readonly nodes: ReadonlyArray<NodeMode>
  readonly token: Version
}

/** A token on its way to an outside resource. It arrives at some time, whatever has become of who sent it and of the lock. */
export interface Shown {
  readonly node: string
  readonly use: Use
  readonly grip: Grip
}

/**
 * A lock that was lost or given back before another was granted that excludes it, and what the resources have let pass of the
 * other since. Told by the order of grants alone: no token is looked at.
 */
export interface Passed {
  readonly late: Grip
  readonly by: Grip
  readonly uses: ReadonlyArray<{ readonly node: string; readonly use: Use }>
}

/** What a client has sent: its commit lands later. */
export type Kind = "open" | "request" | "upgrade" | "convert" | "write" | "downgrade" | "cancel" | "release"

export interface Sent {
  readonly kind: Kind
  readonly value: unknown
  readonly pending: Pending
}

export interface Client {
  readonly name: string
  readonly script: ReadonlyArray<Act>
  /** Sessions before this one. */
  readonly life: number
  readonly sid: string
  /** Place in the script. */
  readonly at: number
  readonly phase: "sent" | "cycle" | "look" | "waits" | "use" | "done"
  readonly sent: Sent | undefined
  readonly watch: Pending | undefined
  /** The request that is under way, its stamp once it is known. */
  readonly asking: { readonly nonce: string; readonly stamp: Key | undefined; readonly version: Version } | undefined
  readonly held: ReadonlyArray<Grip>
  /** Gives everything back: cancelled, lost, or the victim of a deadlock. */
  readonly isEnding: boolean
  readonly isDead: boolean
  readonly mayCrash: boolean
  readonly bump: Pending | undefined
  readonly shown: Shown | undefined
}

export interface State {
  readonly store: ModelStore
  readonly clients: ReadonlyArray<Client>
  readonly janitors: ReadonlyArray<Janitor>
  readonly cancels: number
  readonly crashes: number
  readonly expiries: number
  readonly bumps: number
  /** What the outside resource of each node remembers. */
  readonly outside: ReadonlyMap<string, Maxima>
  readonly passed: ReadonlyArray<Passed>
  /** Something happened that may not happen. */
  readonly fault: string | undefined
}

/** The one tree of a model. */
export const tree: Key = Cells.treePrefix("t")

/** Sessions are as long as real ones are short: one letter and the life. */
export const sidOf = (name: string, life: number): string => `${name}${life}`

const expanded = new Map<Request, ReadonlyArray<NodeMode>>()

/** Nodes and modes of a request, by the rules. */
export const nodesOf = (request: Request): ReadonlyArray<NodeMode> => {
  let nodes = expanded.get(request)
  if (nodes === undefined) {
    const { read = [], write = [] } = request
    expanded.set(request, (nodes = Rules.expand(read.map(Lock.chain), write.map(Lock.chain))))
  }
  return nodes
}

export const show = ({ read = [], write = [] }: Request): string =>
  [...read.map((path) => `read ${path}`), ...write.map((path) => `write ${path}`)].join(", ")

/** Whether two requests may be held at once. */
export const areCompatible = (a: ReadonlyArray<NodeMode>, b: ReadonlyArray<NodeMode>): boolean =>
  a.every(({ mode, node }) => b.every((other) => other.node !== node || Rules.compatible(mode, other.mode)))
