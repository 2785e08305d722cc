/**
 * Outside resources of the lock model: what no transaction can guard, with the rule of `FenceVerifier` in front
 * (`core/FenceRules.ts`). A token is on its way for as long as it likes: it may arrive when its lock is lost, when a later
 * holder has used the resource, when its sender is dead. What may not happen is told by the order of grants, not by tokens.
 */
import { admit, none, type Use } from "../../src/core/FenceRules.ts"
import * as lockOps from "../../src/internal/lockOps.ts"
import type { Step } from "../ModelChecker.ts"
import { type ModelStore, run } from "../ModelStore.ts"
import * as Clients from "./client.ts"
import { areCompatible, type Client, type Grip, type Passed, type Shown, type State, tree } from "./world.ts"

/** Whether a lock stands and is granted. */
export const isLawful = (store: ModelStore, { nodes, recordKey }: Grip): boolean =>
  run(store, (tx) => lockOps.look(tx, recordKey, tree, nodes)).value === "granted"

const isSame = (a: Grip, b: Grip): boolean => a.recordKey === b.recordKey

/** Locks whose token may still come to a resource. */
const threats = ({ clients }: State): ReadonlyArray<Grip> =>
  clients.flatMap(({ held, isDead, shown }) => [
    ...(isDead ? [] : held),
    ...(shown === undefined || held.some((grip) => !isDead && isSame(grip, shown.grip)) ? [] : [shown.grip])
  ])

/** The state after a step of a client: what it was granted in it passes all that it excludes and that no longer holds. */
export const granted = (state: State, before: State, i: number): State => {
  const [was, is] = [before.clients[i]!.held, state.clients[i]!.held]
  const grip = is.at(-1)
  const isGrant = is.length > was.length || (is.length === was.length && grip?.token !== was.at(-1)?.token)
  if (!isGrant) return state.passed.length === 0 ? state : { ...state, passed: kept(state, state.passed) }
  const late = threats(state).filter(
    (other) => !isSame(other, grip!) && !areCompatible(other.nodes, grip!.nodes) && !isLawful(state.store, other)
  )
  const fresh = late.map((other): Passed => ({ late: other, by: grip!, uses: [] }))
  return { ...state, passed: kept(state, [...state.passed, ...fresh]) }
}

/** Those that are late and may still come. */
const kept = (state: State, passed: ReadonlyArray<Passed>): ReadonlyArray<Passed> => {
  const coming = threats(state)
  return passed.filter(({ late }) => coming.some((grip) => isSame(grip, late)))
}

/** A token comes to its resource. */
export const arrival = (state: State, client: Client, i: number): Step<State> => {
  const { grip, node, use } = client.shown!
  const next = admit(state.outside.get(node) ?? none, use, grip.token)
  const told = { ...client, shown: undefined }
  const isHeard = client.phase === "use" && !client.isDead
  const sender = isHeard ? Clients.proceed(state.store, { ...told, at: client.at + 1 }) : told
  const to: State = { ...state, clients: state.clients.with(i, sender) }
  const name = `the resource ${node} ${next === undefined ? "refuses" : "admits"} the ${use} of ${client.name}`
  if (next === undefined) {
    const fault = isLawful(state.store, grip) ? `${node} is refused to ${client.name}, who holds the lock` : undefined
    return { name, isOptional: client.isDead, to: { ...to, passed: kept(to, to.passed), fault } }
  }
  const passed = to.passed.map((each) => (isSame(each.by, grip) ? { ...each, uses: used(each.uses, node, use) } : each))
  const after = { ...to, outside: new Map(state.outside).set(node, next), passed: kept(to, passed) }
  return { name, isOptional: client.isDead, to: { ...after, fault: tooLate(state, client.name, client.shown!) } }
}

const used = (uses: Passed["uses"], node: string, use: Use): Passed["uses"] =>
  uses.some((each) => each.node === node && each.use === use)
    ? uses
    : [...uses, { node, use }].toSorted((a, b) => (a.node + a.use < b.node + b.use ? -1 : 1))

/** A use may not come after one that a later holder made and that it does not go with. */
const tooLate = ({ passed }: State, name: string, { grip, node, use }: Shown): string | undefined => {
  const isOvertaken = passed.some(
    ({ late, uses }) =>
      isSame(late, grip) && uses.some((each) => each.node === node && (each.use === "write" || use === "write"))
  )
  return isOvertaken ? `${node} admits the stale ${use} of ${name} after one of a later holder` : undefined
}
