/** Latch, barrier and election of one process. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Barrier, type Election, type Latch, type Passage, partiesMax, type Term } from "../CoordinationModel.ts"
import type * as Lock from "../LockModel.ts"
import type { StoreError } from "../StoreError.ts"
import { HandOver } from "./HandOver.ts"
import * as lockErrors from "./lockErrors.ts"

/** Something that fibers wait for the change of. */
class Changing {
  private waiters = new Set<() => void>()
  private readonly handOver = new HandOver()

  /** Ends at the next change. */
  readonly changed: Effect.Effect<void> = Effect.callback<void>((done) => {
    const resume = () => done(Effect.void)
    this.waiters.add(resume)
    return Effect.sync(() => this.waiters.delete(resume))
  })

  tell(): void {
    const woken = this.waiters
    this.waiters = new Set()
    for (const resume of woken) this.handOver.run(resume)
  }

  /** Waits until `f` has an answer. */
  until<A>(f: () => A | undefined): Effect.Effect<A> {
    return Effect.suspend((): Effect.Effect<A> => {
      const found = f()
      return found === undefined ? Effect.andThen(this.changed, this.until(f)) : Effect.succeed(found)
    })
  }
}

/** What a latch counted, for all its handles. */
export class Counted extends Changing {
  downs = 0
}

export class LocalLatch implements Latch {
  readonly name: string
  readonly count: Effect.Effect<number, StoreError>
  readonly await: Effect.Effect<void, StoreError>
  readonly reset: Effect.Effect<void, StoreError>
  private readonly wrong: Effect.Effect<void, StoreError>
  private readonly state: Counted

  constructor(name: string, count: number, state: Counted) {
    this.name = name
    this.state = state
    this.wrong = refuse(lockErrors.refusedCount(`the count of the latch "${name}"`, count, undefined, 0))
    this.count = Effect.map(this.wrong, () => Math.max(0, count - state.downs))
    this.await = Effect.andThen(this.wrong, Effect.asVoid(state.until(() => (state.downs >= count ? true : undefined))))
    this.reset = Effect.sync(() => void (state.downs = 0))
  }

  countDown(by = 1): Effect.Effect<void, StoreError> {
    const refused = lockErrors.refusedCount(`a step of the latch "${this.name}"`, by)
    return Effect.andThen(
      Effect.andThen(this.wrong, refuse(refused)),
      Effect.sync(() => {
        this.state.downs += by
        this.state.tell()
      })
    )
  }
}

/** Who has arrived at a barrier, for all its handles. */
export class Arrivals {
  generation = 0
  readonly handOver = new HandOver()
  readonly waiting = new Set<(passage: Passage) => void>()
}

export class LocalBarrier implements Barrier {
  readonly name: string
  readonly parties: number
  readonly await: Effect.Effect<Passage, StoreError>
  readonly waiting: Effect.Effect<number>

  constructor(name: string, parties: number, arrivals: Arrivals) {
    this.name = name
    this.parties = parties
    const wrong = refuse(lockErrors.refusedCount(`the parties of the barrier "${name}"`, parties, partiesMax))
    this.waiting = Effect.sync(() => arrivals.waiting.size)
    const arrive = Effect.callback<Passage>((done) => {
      const go = (passage: Passage) => done(Effect.succeed(passage))
      arrivals.waiting.add(go)
      if (arrivals.waiting.size < parties) return Effect.sync(() => arrivals.waiting.delete(go))
      const generation = arrivals.generation++
      const all = [...arrivals.waiting]
      arrivals.waiting.clear()
      for (const [index, pass] of all.entries()) arrivals.handOver.run(() => pass({ generation, index }))
      return undefined
    })
    this.await = Effect.andThen(wrong, arrive)
  }
}

/** The present term of an election, for all its handles. */
export class TermRegister extends Changing {
  number = 0
  current: Term | undefined

  begin(leader: string, token: number): Term {
    this.current = { number: ++this.number, leader, token }
    this.tell()
    return this.current
  }

  end(): void {
    this.current = undefined
    this.tell()
  }
}

export class LocalElection implements Election {
  readonly name: string
  readonly leader: Effect.Effect<Option.Option<Term>>
  readonly terms: Stream.Stream<Option.Option<Term>>
  private readonly tree: Lock.Tree
  private readonly register: TermRegister

  constructor(name: string, tree: Lock.Tree, register: TermRegister) {
    this.name = name
    this.tree = tree
    this.register = register
    this.leader = Effect.sync(() => Option.fromUndefinedOr(register.current))
    this.terms = Stream.unfold(never as Term | undefined, (last) =>
      Effect.map(
        register.until(() => (register.current === last ? undefined : { term: register.current })),
        ({ term }) => [Option.fromUndefinedOr(term), term] as const
      )
    )
  }

  lead<A, E, R>(
    self: (term: Term) => Effect.Effect<A, E, R>,
    options?: Lock.RequestOptions
  ): Effect.Effect<A, E | Lock.LockError | StoreError, R> {
    return Effect.scoped(
      Effect.withFiber((fiber) =>
        Effect.flatMap(this.tree.request({ write: [[this.name]] }, options).scoped, ({ guard, token }) =>
          guard(
            Effect.acquireUseRelease(
              Effect.sync(() => this.register.begin(options?.owner ?? `fiber ${fiber.id}`, token)),
              self,
              () => Effect.sync(() => this.register.end())
            )
          )
        )
      )
    ) as Effect.Effect<A, E | Lock.LockError | StoreError, R>
  }
}

/** No term, and not the absence of one: the first look always answers. */
const never: Term = { number: -1, leader: "", token: -1 }

const refuse = (message: string): Effect.Effect<void, StoreError> =>
  message === "" ? Effect.void : Effect.fail(lockErrors.invalid(message))
