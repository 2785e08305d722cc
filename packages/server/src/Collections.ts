/**
 * Collections over RPC, from the record of handles that a program has anyway: `rpcs` is their typed group, `layerHandlers`
 * serves it from the stores they live in, `remote` gives the same handles to a client that has no store.
 *
 * ```ts
 * const collections = { users, inbox }
 * // server: RpcServer.layer(Collections.rpcs(collections)) with Collections.layerHandlers(collections)
 * // client: Collections.remote(collections).users.get("ada") with Collections.layerRemote(collections)
 * ```
 *
 * A call that writes takes effect once, also when its answer is lost and it is asked again on another connection or of
 * another server of the same store (`internal/callMemory.ts`). A remote operation is a transaction alone and joins none:
 * compose transactions where the store is.
 */
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import type * as RpcClient from "effect/rpc/RpcClient"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Description from "@weft/domain/Description"
import { Store } from "@weft/domain/Store"
import { StoreError } from "@weft/domain/StoreError"
import * as Tx from "@weft/domain/Tx"
import type { Check, Client, Rpcs, Services } from "./Calls.ts"
import type { OperationOf, Table } from "./internal/call.ts"
import * as callMemory from "./internal/callMemory.ts"
import { handleOf } from "./internal/handles.ts"
import { tableOf } from "./internal/operations.ts"
import { answered } from "./internal/queueOperations.ts"
import { wire } from "./Wire.ts"
import { make as makeRemote, Remote, type RemoteOptions } from "./Remote.ts"

export type { Client, Rpcs, Services } from "./Calls.ts"
export { Remote, type RemoteOptions } from "./Remote.ts"

/** One collection of a record: its calls are tagged `tag.operation`. */
interface Member {
  readonly tag: string
  readonly handle: { readonly name: string }
  readonly description: Description.Description
  readonly table: Table
}

interface Plan {
  readonly members: ReadonlyArray<Member>
  readonly group: RpcGroup.RpcGroup<any>
}

const plans = new WeakMap<object, Plan>()

/** What a record of collections becomes, made once. Throws `TypeError` for a member that is no collection. */
const planOf = (collections: object): Plan => {
  const known = plans.get(collections)
  if (known !== undefined) return known
  const members = Object.entries(collections).map(([tag, handle]): Member => {
    const description = Description.of(handle)
    if (description === undefined)
      throw new TypeError(`"${tag}" is no collection: give the handles of DMap.make and the like`)
    return { tag, handle, description, table: tableOf(description) }
  })
  const group = RpcGroup.make(
    ...members.flatMap(({ table, tag }) =>
      Object.entries(table).map(([operation, { mode, payload, success }]) =>
        Rpc.make(`${tag}.${operation}`, {
          payload: Schema.Struct(payload),
          success,
          error: StoreError,
          stream: mode === "feed"
        })
      )
    )
  )
  const plan = { members, group }
  plans.set(collections, plan)
  return plan
}

/** The RPCs of a record of collections, one per operation: `"users.get"`, `"inbox.offer"`, ... All fail with `StoreError`. */
export const rpcs = <const C extends Readonly<Record<string, unknown>>>(
  collections: C & Check<C>
): RpcGroup.RpcGroup<Rpcs<C>> => planOf(collections).group as RpcGroup.RpcGroup<any> // the tables are the run-time side of `Rpcs`

/** How the server does one call of a member. */
const handlerOf = ({ description, handle, tag }: Member, name: string, operation: OperationOf) => {
  const label = `${tag}.${name}`
  const { mode, run, success, transact = false } = operation
  const store = description.store ?? Store
  return (payload: unknown, { headers }: { readonly headers: any }) => {
    const effect = run(handle, payload) as Effect.Effect<any, StoreError, any>
    if (mode === "write") {
      return callMemory.once({ label, store, success: wire<any>(success), headers, run: effect, transact })
    }
    return mode === "wait"
      ? answered(Tx.transactWith(effect as Effect.Effect<never, any, any>, { label, store }))
      : effect
  }
}

/** Serves the group of a record of collections from the stores that they live in. */
export const layerHandlers = <const C extends Readonly<Record<string, unknown>>>(
  collections: C & Check<C>
): Layer.Layer<Rpc.ToHandler<Rpcs<C>>, never, Services<C>> => {
  const { group, members } = planOf(collections)
  const handlers = Object.fromEntries(
    members.flatMap((member) =>
      Object.entries(member.table).map(([name, operation]) => [
        `${member.tag}.${name}`,
        handlerOf(member, name, operation)
      ])
    )
  )
  // A group of any RPCs takes any handlers; `Rpcs<C>` and `Services<C>` say what these are.
  return group.toLayer(handlers as any) as Layer.Layer<any, never, any>
}

/** The same handles for a client: every operation is a call over `Remote`. Pure. */
export const remote = <const C extends Readonly<Record<string, unknown>>>(collections: C & Check<C>): Client<C> =>
  Object.fromEntries(
    planOf(collections).members.map(({ description, handle, tag }) => [tag, handleOf(tag, handle.name, description)])
  ) as Client<C> // built by the same description that `Client` reads from the types

/** The connection of remote handles, over any protocol of `effect/rpc` (`RpcClient.layerProtocolSocket` and the like). */
export const layerRemote = <const C extends Readonly<Record<string, unknown>>>(
  collections: C & Check<C>,
  options?: RemoteOptions
): Layer.Layer<Remote, never, RpcClient.Protocol> =>
  Layer.effect(Remote, makeRemote(planOf(collections).group, options))
