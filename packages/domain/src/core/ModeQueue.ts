/**
 * The queue of a lock with modes in one process: the rules of `ModeRules.ts` over a list in memory. Pure and synchronous;
 * what becomes free is told by the callbacks of the requests.
 *
 * Cost: O(1) a request and a release, beside the compatibility function; one waiting request is looked at per change.
 */
import { mustGiveWay, type Modes, type Place, Tally } from "./ModeRules.ts"

export type State = "waiting" | "granted" | "ended"

/** One request, from `request` to `release`. Fields are read-only for callers. */
export class ModeRequest {
  readonly queue: ModeQueue
  readonly stamp: number
  readonly mode: string
  readonly weight: number
  /** For people. */
  readonly owner: string
  readonly holding: ReadonlyArray<number>
  state: State = "waiting"
  before: ModeRequest | undefined = undefined
  after: ModeRequest | undefined = undefined
  granted: (() => void) | undefined = undefined
  failed: ((cause: unknown) => void) | undefined = undefined

  constructor(queue: ModeQueue, stamp: number, wanted: Wanted) {
    this.queue = queue
    this.stamp = stamp
    this.mode = wanted.mode
    this.weight = wanted.weight
    this.owner = wanted.owner
    this.holding = wanted.holding
  }
}

/** What is asked. */
export interface Wanted {
  readonly mode: string
  readonly weight: number
  readonly owner: string
  /** Stamps of requests of this queue that the same flow holds. */
  readonly holding: ReadonlyArray<number>
}

export class ModeQueue {
  /** What the lock means: a queue in use is not for another one. */
  readonly definition: string
  private readonly modes: Modes
  private readonly held = new Tally()
  private first: ModeRequest | undefined
  private last: ModeRequest | undefined
  /** The first that waits; everyone behind it waits too. */
  private head: ModeRequest | undefined
  private stamps = 0
  private size = 0
  /** Times a waiting request was looked at again. */
  wakeUps = 0

  constructor(modes: Modes, definition: string) {
    this.definition = definition
    this.modes = modes
  }

  get isEmpty(): boolean {
    return this.first === undefined
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.size - this.held.total
  }

  /**
   * Asks. When the result waits, one of `granted` and `failed` (with what its compatibility function threw) is called
   * later. Throws what the function throws now; then, as after "deadlock", nothing is left behind.
   */
  request(
    wanted: Wanted,
    told: { readonly granted: () => void; readonly failed: (cause: unknown) => void }
  ): ModeRequest | "deadlock" {
    const free = this.requestIfFree(wanted)
    if (free !== undefined) return free
    const request = this.append(wanted)
    this.head ??= request
    request.granted = told.granted
    request.failed = told.failed
    if (wanted.holding.length > 0 && mustGiveWay(this.list().map(placeOf), this.modes, request.stamp)) {
      this.release(request)
      return "deadlock"
    }
    return request
  }

  /** As `request`, but takes nothing unless it is free at once. */
  requestIfFree(wanted: Wanted): ModeRequest | undefined {
    if (this.head !== undefined || !this.modes[wanted.mode]!(this.held, wanted.weight)) return undefined
    const request = this.append(wanted)
    this.hold(request)
    return request
  }

  /** Gives back, or cancels a request that waits. Doing it twice is no effect. */
  release(request: ModeRequest): void {
    if (request.state === "ended") return
    const { after, state } = request
    this.drop(request)
    if (state === "granted") this.held.remove(request.mode, request.weight)
    else if (this.head === request) this.head = after
    else return
    this.settle()
  }

  /** Everyone, in the order of their stamps: holders first. */
  list(): ReadonlyArray<ModeRequest> {
    const found: Array<ModeRequest> = []
    for (let at = this.first; at !== undefined; at = at.after) found.push(at)
    return found
  }

  private append(wanted: Wanted): ModeRequest {
    const request = new ModeRequest(this, ++this.stamps, wanted)
    request.before = this.last
    if (this.last === undefined) this.first = request
    else this.last.after = request
    this.last = request
    this.size++
    return request
  }

  private hold(request: ModeRequest): void {
    request.state = "granted"
    this.held.add(request.mode, request.weight)
  }

  /** Grants from the head on. Callbacks may call back in here: the state is whole before each. */
  private settle(): void {
    for (let at = this.head; at !== undefined; at = this.head) {
      this.wakeUps++
      const { failed, granted } = at
      let isFree: boolean
      try {
        isFree = this.modes[at.mode]!(this.held, at.weight)
      } catch (cause) {
        this.head = at.after
        this.drop(at)
        failed?.(cause)
        continue
      }
      if (!isFree) return
      this.head = at.after
      this.hold(at)
      granted?.()
    }
  }

  private drop(request: ModeRequest): void {
    const { after, before } = request
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    request.state = "ended"
    this.size--
  }
}

const placeOf = ({ holding, mode, stamp, state, weight }: ModeRequest): Place<number> => ({
  id: stamp,
  mode,
  weight,
  granted: state === "granted",
  holding
})
