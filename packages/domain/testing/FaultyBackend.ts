/**
 * A Layer over any Backend that does to calls what networks and servers do: it loses, delays, doubles and reorders
 * requests and replies, refuses, stalls, breaks change feeds, opens new epochs. All from one seed; every fault is counted,
 * so that a test can assert that there were some. It never breaks the contract: what the engine sees, a real store may show.
 *
 * It hides the synchronous lane, so the engine above takes the way of batches. Delays are sleeps: run it under `Sim`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Backend } from "../src/Backend.ts"
import type { Change, CommitRecord, CommitRequest, Reply } from "../src/core/Commit.ts"
import { CommitUnknown, make as storeError, type StoreError, Unavailable } from "../src/StoreError.ts"
import { Prng } from "./Prng.ts"

/** What can happen to a call. */
export type Fault =
  /** The request never arrives; the caller hears `CommitUnknown` (of a commit) or `Unavailable`. */
  | "dropRequest"
  /** The request takes effect; its reply is lost. */
  | "dropReply"
  /** As `dropRequest` for the caller, but the request arrives later, when the caller has long gone on. */
  | "lateRequest"
  /** The request arrives a second time, later; the caller has the first reply. */
  | "duplicateRequest"
  /** The request arrives twice at once; the caller has the second reply. */
  | "duplicateReply"
  /** The request waits until another call has passed it, or as long as a delay. */
  | "reorder"
  | "delayRequest"
  | "delayReply"
  /** The store says no before doing anything: `Unavailable`. */
  | "refuse"
  /** All calls from now on wait for as long as `stallMillis`. */
  | "stall"
  /** The store comes back under a new epoch (only where `newEpoch` is given). */
  | "newEpoch"
  /** Of the change feed: elements are lost, and the feed says so by a `Gap`. */
  | "loseWakeup"
  /** Of the change feed: it fails with `Unavailable` and must be resumed. */
  | "cutFeed"
  /** Of the change feed: an element comes late. */
  | "delayChange"

export type Call = "read" | "commit" | "outcome" | "change"

/** One fault at one call: the n-th (from 1) of its kind. */
export interface Scripted {
  readonly call: Call
  readonly nth: number
  readonly fault: Fault
}

export interface Plan {
  readonly seed: number
  /** Probability (0 to 1) of each fault per call; what is left out does not happen. */
  readonly rates?: Partial<Record<Fault, number>> | undefined
  /** Faults at chosen calls, beside the random ones. */
  readonly script?: ReadonlyArray<Scripted> | undefined
  /** Longest delay. Default 20. */
  readonly delayMillisMax?: number | undefined
  /** Longest time until a request that was given up, or its double, arrives. Default `delayMillisMax`. */
  readonly lateMillisMax?: number | undefined
  /** Length of a stall. Default 100. */
  readonly stallMillis?: number | undefined
  /** How the store under test opens a new epoch. */
  readonly newEpoch?: Effect.Effect<void> | undefined
}

const faultsOf: Record<Call, ReadonlyArray<Fault>> = {
  read: ["dropRequest", "dropReply", "refuse", "stall", "reorder", "delayRequest", "delayReply"],
  commit: [
    "dropRequest",
    "dropReply",
    "lateRequest",
    "duplicateRequest",
    "duplicateReply",
    "reorder",
    "delayRequest",
    "delayReply",
    "refuse",
    "stall",
    "newEpoch"
  ],
  outcome: ["dropRequest", "dropReply", "refuse", "stall", "delayRequest", "delayReply"],
  change: ["loseWakeup", "cutFeed", "delayChange"]
}

type Inner = Backend["Service"]

/** The faults of one store: makes the Layer, counts, and can be healed for a phase in which all must come right. */
export class Faults {
  /** How often each fault was injected. */
  readonly counts: Partial<Record<Fault, number>> = {}
  /** Calls seen, by kind. */
  readonly calls: Record<Call, number> = { read: 0, commit: 0, outcome: 0, change: 0 }
  /** Requests that were given up and are still under way. */
  underWay = 0
  readonly #plan: Plan
  readonly #prng: Prng
  readonly #script = new Map<string, Fault>()
  #healed = false
  #stalledUntil = 0
  #passed = 0

  constructor(plan: Plan) {
    this.#plan = plan
    this.#prng = new Prng(plan.seed)
    for (const { call, fault, nth } of plan.script ?? []) {
      if (!faultsOf[call].includes(fault)) throw new RangeError(`a ${call} knows no fault "${fault}"`)
      this.#script.set(`${call} ${nth}`, fault)
    }
  }

  /** The backend with faults. The one below is built once, as any Layer is, so a test may use it directly, too. */
  layer<E, R>(backend: Layer.Layer<Backend, E, R>): Layer.Layer<Backend, E, R> {
    const faulty = Effect.gen({ self: this }, function* () {
      const inner = yield* Backend
      const scope = yield* Effect.scope
      return this.#wrap(inner, scope)
    })
    return Layer.effect(Backend, faulty).pipe(Layer.provide(backend))
  }

  /** No faults from now on (delays and late requests under way still end). */
  heal(): void {
    this.#healed = true
  }

  /** Faults again, after `heal`. */
  resume(): void {
    this.#healed = false
  }

  /** How many faults were injected in all. */
  get total(): number {
    return Object.values(this.counts).reduce((a, b) => a + b, 0)
  }

  /** Counts for people: `dropReply 12, refuse 3`. */
  describe(): string {
    return Object.entries(this.counts)
      .map(([fault, count]) => `${fault} ${count}`)
      .join(", ")
  }

  #wrap(inner: Inner, scope: Scope.Scope): Inner {
    return Backend.of({
      capabilities: inner.capabilities,
      read: (request) => this.#call("read", inner.read(request)),
      outcome: (id) => this.#call("outcome", inner.outcome(id)),
      commit: (requests) => this.#commit(inner, scope, requests),
      changes: (request) => inner.changes(request).pipe(Stream.mapEffect((change) => this.#change(change)))
    })
  }

  #draw(call: Call): Fault | undefined {
    const nth = ++this.calls[call]
    let fault = this.#script.get(`${call} ${nth}`)
    if (fault === undefined && !this.#healed) {
      let roll = this.#prng.unit()
      for (const candidate of faultsOf[call]) {
        if (candidate === "newEpoch" && this.#plan.newEpoch === undefined) continue
        roll -= this.#plan.rates?.[candidate] ?? 0
        if (roll >= 0) continue
        fault = candidate
        break
      }
    }
    if (fault !== undefined) this.counts[fault] = (this.counts[fault] ?? 0) + 1
    return fault
  }

  get #delayMillisMax(): number {
    return this.#plan.delayMillisMax ?? 20
  }

  get #delay(): Effect.Effect<void> {
    return Effect.suspend(() => Effect.sleep(this.#prng.between(1, this.#delayMillisMax)))
  }

  /** Waits out a stall; `reorder` waits for another call to pass. */
  #enter(fault: Fault | undefined): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      if (fault === "stall") this.#stalledUntil = Math.max(this.#stalledUntil, now + (this.#plan.stallMillis ?? 100))
      if (this.#stalledUntil > now) yield* Effect.sleep(this.#stalledUntil - now)
      if (fault === "delayRequest") yield* this.#delay
      if (fault === "reorder") {
        const before = this.#passed
        for (let i = this.#delayMillisMax; i > 0 && this.#passed === before; i--) yield* Effect.sleep(1)
      }
      this.#passed++
    })
  }

  #call<A>(call: "read" | "outcome", run: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> {
    return Effect.gen({ self: this }, function* () {
      const fault = this.#draw(call)
      yield* this.#enter(fault)
      if (fault === "refuse" || fault === "dropRequest") {
        if (fault === "dropRequest") yield* this.#delay
        return yield* unavailable(`the ${call} was not answered (injected: ${fault})`)
      }
      const reply = yield* run
      if (fault === "dropReply" || fault === "delayReply") yield* this.#delay
      if (fault === "dropReply") return yield* unavailable(`the reply of the ${call} was lost (injected)`)
      return reply
    })
  }

  #commit(inner: Inner, scope: Scope.Scope, requests: ReadonlyArray<CommitRequest>) {
    const send = inner.commit(requests)
    const later = Effect.suspend(() => {
      this.underWay++
      const late = this.#prng.between(1, this.#plan.lateMillisMax ?? this.#delayMillisMax)
      const arrive = Effect.andThen(Effect.sleep(late), Effect.exit(send))
      const done = Effect.sync(() => {
        this.underWay--
      })
      return Effect.forkIn(Effect.ensuring(arrive, done), scope)
    })
    return Effect.gen({ self: this }, function* () {
      const fault = this.#draw("commit")
      yield* this.#enter(fault)
      if (fault === "refuse") return yield* unavailable("the commit was refused before anything was done (injected)")
      if (fault === "newEpoch" && this.#plan.newEpoch !== undefined) yield* this.#plan.newEpoch
      if (fault === "dropRequest" || fault === "lateRequest") {
        if (fault === "lateRequest") yield* later
        yield* this.#delay
        return yield* unknown(requests)
      }
      let replies: ReadonlyArray<Reply> = yield* send
      if (fault === "duplicateReply") replies = yield* send
      if (fault === "duplicateRequest") yield* later
      if (fault === "delayReply" || fault === "dropReply") yield* this.#delay
      if (fault === "dropReply") return yield* unknown(requests)
      return replies
    })
  }

  #change(change: Change): Effect.Effect<Change, StoreError> {
    return Effect.gen({ self: this }, function* () {
      if (change._tag !== "Commit") return change
      const fault = this.#draw("change")
      if (fault === "cutFeed") return yield* unavailable("the change feed broke (injected): resume it")
      if (fault === "delayChange") yield* this.#delay
      return fault === "loseWakeup" ? lost(change) : change
    })
  }
}

const lost = (change: CommitRecord): Change => ({
  _tag: "Gap",
  from: change.version - 1,
  to: change.version,
  reason: "overrun"
})

const unavailable = (message: string): Effect.Effect<never, StoreError> =>
  Effect.fail(storeError(new Unavailable({ message })))

const unknown = (requests: ReadonlyArray<CommitRequest>): Effect.Effect<never, StoreError> => {
  const id = requests.find((request) => request.id !== undefined)?.id
  if (id === undefined) return unavailable("the reply of read-only requests was lost (injected)")
  const message = `the reply of a batch of ${requests.length} was lost (injected): it may have taken effect`
  return Effect.fail(storeError(new CommitUnknown({ message, session: id.session, sequence: id.sequence })))
}

/** Faults by a plan. */
export const make = (plan: Plan): Faults => new Faults(plan)

/** Rates of a bad network: about one call in four meets a fault. */
export const badNetwork: Partial<Record<Fault, number>> = {
  dropRequest: 0.02,
  dropReply: 0.03,
  lateRequest: 0.03,
  duplicateRequest: 0.03,
  duplicateReply: 0.02,
  reorder: 0.03,
  delayRequest: 0.04,
  delayReply: 0.04,
  refuse: 0.02,
  stall: 0.002,
  loseWakeup: 0.02,
  cutFeed: 0.01,
  delayChange: 0.05
}
