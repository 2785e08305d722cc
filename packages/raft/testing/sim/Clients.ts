/**
 * Clients of a simulated cluster: sessions, retries, timeouts, replies that are lost, reads by index and by lease.
 *
 * A request ends when its outcome is certain: answered, certainly without effect, or unknown (its session ended while a copy
 * of it may have been applied). Everything else is tried again under the same sequence, at any node, as a real client
 * would, so exactly-once rests on the sessions alone.
 */
import type { Proposal } from "../../src/core/Types.ts"
import type { ProposeOutcome } from "../../src/driver/Ports.ts"
import { Histories } from "./Histories.ts"
import { invariant } from "./invariant.ts"
import { type Command, decodeAnswer, encodeCommand } from "./Machine.ts"
import { encodeNumber } from "../../src/core/Configurations.ts"
import type { SeededRandom } from "./Random.ts"
import type { SimNode } from "./SimNode.ts"
import type { World } from "./World.ts"

interface Request {
  readonly command: Command
  readonly bytes: Uint8Array
  readonly session: number
  readonly sequence: number
  readonly historyId: number
  /** `log`: through the log, without a session: harmless to repeat. */
  readonly read: "readIndex" | "lease" | "log" | undefined
  attempts: number
  done: boolean
}

const noBytes = new Uint8Array(0)

/** Longest history of one key that is judged: more would cost more time than it finds. */
const requestsMax = 1500

/** Numbers and histories that all clients of a run share. */
export class Workload {
  readonly histories: Histories
  readonly clients: Array<SimClient> = []
  values = 0
  commands = 0
  requests = 0
  /** New requests are made. */
  open = true

  constructor(world: World) {
    this.histories = new Histories(world.options.clients.keys)
    for (let i = 0; i < world.options.clients.count; i++) this.clients.push(new SimClient(world, this, i))
  }

  start(): void {
    for (const client of this.clients) client.next()
  }

  /** Requests without an outcome. */
  get waiting(): number {
    return this.clients.reduce((sum, client) => sum + client.waiting, 0)
  }
}

export class SimClient {
  private readonly world: World
  private readonly workload: Workload
  private readonly number: number
  private readonly random: SeededRandom
  private readonly requests = new Map<number, Request>()
  private session = 0
  private opening = false
  private sequence = 0
  /** Where the last answer came from. */
  private favourite = 0

  constructor(world: World, workload: Workload, number: number) {
    this.world = world
    this.workload = workload
    this.number = number
    this.random = world.random.fork(`client ${number}`)
  }

  get waiting(): number {
    return this.requests.size
  }

  /** Makes a request now and then, for as long as the workload is open. */
  next(): void {
    const { clients } = this.world.options
    this.world.kernel.after(this.random.between(clients.thinkMicros >> 2, clients.thinkMicros * 2), () => {
      if (!this.workload.open) return
      if (this.requests.size < clients.outstanding && this.workload.requests < requestsMax && this.fits()) this.make()
      this.next()
    })
  }

  /** The session keeps a limited number of unconfirmed results; a careless client finds out what happens beyond. */
  private fits(): boolean {
    const kept = this.world.options.limits.sessionResultsMax ?? 1024
    return this.sequence + 1 - this.resolved() < kept || this.random.chance(0.02)
  }

  /** One more request, to show that a healed cluster takes requests. */
  make(): void {
    if (this.session === 0) return this.openSession()
    const { clients } = this.world.options
    const { histories } = this.workload
    const key = this.random.below(clients.keys)
    const query = this.random.chance(clients.reads) ? histories.drawRead(key, this.random) : undefined
    this.workload.requests++
    if (query !== undefined) {
      const mode = this.random.chance(0.1) ? "log" : this.random.chance(clients.leaseReads) ? "lease" : "readIndex"
      return this.begin(query, mode)
    }
    if (this.random.chance(0.02)) return this.begin({ op: "explode", key, value: 0, expected: 0, id: 0 }, undefined)
    const command = histories.draw(key, this.random, ++this.workload.values, this.number, ++this.workload.commands)
    this.begin(command, undefined)
  }

  private begin(command: Command, read: Request["read"]): void {
    const padding = this.random.below(this.world.options.clients.paddingMax + 1)
    const request: Request = {
      command,
      bytes: encodeCommand(command, read === undefined ? padding : 0),
      session: read === undefined ? this.session : 0,
      // Reads outside of the log have their own numbers below 0.
      sequence: read === undefined ? ++this.sequence : -++this.workload.requests,
      historyId: command.op === "explode" ? -1 : this.workload.histories.call(this.number, command),
      read,
      attempts: 0,
      done: false
    }
    this.requests.set(request.sequence, request)
    this.attempt(request)
  }

  private attempt(request: Request): void {
    if (request.done) return
    const attempt = ++request.attempts
    if (attempt > 1) this.world.faults.add("clientRetried")
    const { timeoutMicros } = this.world.options.clients
    this.world.kernel.after(timeoutMicros, () => {
      if (request.attempts === attempt) this.attempt(request)
    })
    const node = this.choose()
    this.travel(() => {
      if (node.driver === undefined || request.done) return
      node.whenRunning(() => this.ask(node, request))
    })
  }

  private ask(node: SimNode, request: Request): void {
    const { driver } = node
    if (driver === undefined) return
    if (request.read === "readIndex" || request.read === "lease") return this.askRead(node, request, request.read)
    const proposal: Proposal = {
      kind: "command",
      session: request.session,
      sequence: Math.max(0, request.sequence),
      resolved: request.read === "log" ? 0 : this.resolved(),
      data: request.bytes
    }
    driver.propose(proposal, (outcome) => {
      this.checkPlace(request, outcome)
      this.travel(() => this.answered(node, request, outcome), true)
    })
  }

  /** An answer must belong to the command that was proposed (RAFT: keyed by index and term). */
  private checkPlace(request: Request, outcome: ProposeOutcome): void {
    if (outcome._tag !== "Applied") return
    const committed = this.world.invariants.committedAt(outcome.index)
    invariant(
      committed !== undefined && committed.term === outcome.term,
      "an answer comes from a committed entry",
      () => `${outcome.index}.${outcome.term}`
    )
    const { entry } = committed
    invariant(
      entry === undefined || (entry.session === request.session && entry.sequence === Math.max(0, request.sequence)),
      "an answer comes from the entry that its request became",
      () => `request ${request.session}/${request.sequence}, entry ${entry?.session}/${entry?.sequence}`
    )
  }

  private askRead(node: SimNode, request: Request, mode: "readIndex" | "lease"): void {
    const { invariants } = this.world
    const committed = invariants.commitIndex
    const { driver, observed } = node
    if (driver === undefined || observed === undefined) return
    const asked = invariants.readAsked(observed)
    driver.read(mode, (index) => {
      if (index === undefined) {
        this.world.transitions.add(`read by ${mode} refused`)
        return this.travel(() => this.again(request))
      }
      this.world.transitions.add(`read by ${mode} answered`)
      invariants.readAnswered(node.id, index, committed)
      if (mode === "readIndex") invariants.readProven(observed, asked)
      const answer = decodeAnswer(node.machine.query(request.bytes))
      this.travel(
        () => this.finish(request, () => this.workload.histories.ok(request.historyId, request.command, answer)),
        true
      )
    })
  }

  private answered(node: SimNode, request: Request, outcome: ProposeOutcome): void {
    if (request.done) return
    this.world.transitions.add(outcome._tag === "Refused" ? `refused ${outcome.reason}` : `propose ${outcome._tag}`)
    switch (outcome._tag) {
      case "Applied":
        this.favourite = node.place
        return this.applied(request, outcome.applied)
      case "Refused":
        if (outcome.reason === "TooLarge") {
          return this.finish(request, () => this.workload.histories.failed(request.historyId, request.command))
        }
        if (outcome.leader !== undefined) this.favourite = Math.max(0, this.world.placeOf(outcome.leader))
        return this.givenUp(request) ? undefined : this.again(request)
      case "Superseded":
        return this.givenUp(request) ? undefined : this.again(request)
      default:
        return this.again(request)
    }
  }

  /**
   * A request that was refused or superseded will never take effect: now and then its client relies on that. (Not where the
   * network doubles messages: a doubled forward is two copies, and the answer speaks of one.)
   */
  private givenUp(request: Request): boolean {
    const alone = request.attempts === 1 && request.read === undefined && this.world.options.network.doubling === 0
    if (!alone || !this.random.chance(0.3)) return false
    this.world.invariants.forbid(request.command.id)
    this.finish(request, () => this.workload.histories.failed(request.historyId, request.command))
    return true
  }

  private applied(request: Request, applied: Extract<ProposeOutcome, { _tag: "Applied" }>["applied"]): void {
    const { histories } = this.workload
    switch (applied._tag) {
      case "Result": {
        const answer = decodeAnswer(applied.data)
        return this.finish(request, () => histories.ok(request.historyId, request.command, answer))
      }
      case "Failed":
        invariant(request.command.op === "explode", "only a faulty command fails", () => applied.message)
        return this.finish(request, () => {})
      case "SessionUnknown":
        return this.sessionEnded(request.session)
      case "TooManyOutstanding":
        // Later requests took all places, so this one would wait for ever: the session is given up.
        this.control(
          { kind: "closeSession", session: request.session, sequence: 0, resolved: 0, data: noBytes },
          () => {}
        )
        return this.sessionEnded(request.session)
      default:
        throw new Error(`a command was answered by ${applied._tag}`)
    }
  }

  /** All open requests of the session: whether a copy was applied before it ended is not known any more. */
  private sessionEnded(session: number): void {
    if (session === this.session) this.session = 0
    for (const request of Array.from(this.requests.values())) {
      if (request.session !== session || request.read !== undefined) continue
      this.finish(request, () => this.workload.histories.unknown(request.historyId, request.command))
    }
  }

  private finish(request: Request, record: () => void): void {
    if (request.done) return
    request.done = true
    this.requests.delete(request.sequence)
    if (request.historyId >= 0) record()
    this.world.note(request.attempts)
    const { sessionEnds } = this.world.options.clients
    if (this.requests.size === 0 && this.workload.open && this.random.chance(sessionEnds)) this.endSession()
  }

  private again(request: Request): void {
    const { tickMicros } = this.world.options
    const attempt = request.attempts
    this.world.kernel.after(this.random.between(tickMicros >> 2, tickMicros * 2), () => {
      if (request.attempts === attempt) this.attempt(request)
    })
  }

  private openSession(): void {
    if (this.opening) return
    this.opening = true
    const retry = (): void => {
      this.opening = false
    }
    // Without an answer in time another session is opened: the orphan ends by the limit on sessions.
    this.world.kernel.after(this.world.options.clients.timeoutMicros, retry)
    this.control({ kind: "openSession", session: 0, sequence: 0, resolved: 0, data: noBytes }, (outcome) => {
      if (outcome._tag !== "Applied" || outcome.applied._tag !== "SessionOpened" || this.session !== 0) return
      this.session = outcome.applied.session
      this.sequence = 0
    })
  }

  /** The client is done with its session, or an operator ends all that were not used lately. */
  private endSession(): void {
    const { session } = this
    this.session = 0
    if (this.random.chance(0.5)) {
      this.control({ kind: "closeSession", session, sequence: 0, resolved: 0, data: noBytes }, () => {})
    } else {
      const before = this.world.invariants.commitIndex - this.random.below(20)
      const data = encodeNumber(Math.max(0, before))
      this.control({ kind: "expireSessions", session: 0, sequence: 0, resolved: 0, data }, () => {})
    }
  }

  private control(proposal: Proposal, done: (outcome: ProposeOutcome) => void): void {
    const node = this.choose()
    this.travel(() => {
      node.whenRunning(() => node.driver?.propose(proposal, (outcome) => this.travel(() => done(outcome), true)))
    })
  }

  /** Smallest sequence without an answer. */
  private resolved(): number {
    let lowest = this.sequence + 1
    for (const { read, session, sequence } of this.requests.values()) {
      if (read === undefined && session === this.session && sequence < lowest) lowest = sequence
    }
    return lowest
  }

  private choose(): SimNode {
    const { nodes } = this.world
    const place = this.random.chance(0.3) ? this.random.below(nodes.length) : this.favourite
    return nodes[place] as SimNode
  }

  /** The way between client and node; replies may be lost on it. */
  private travel(then: () => void, reply = false): void {
    const { clients, network } = this.world.options
    if (reply && !this.world.healed && this.random.chance(clients.replyLoss)) {
      this.world.faults.add("replyLost")
      return
    }
    this.world.kernel.after(this.random.between(network.delayMinMicros, network.delayMaxMicros), () => {
      try {
        then()
      } catch (error) {
        this.world.fail(error)
      }
    })
  }
}
