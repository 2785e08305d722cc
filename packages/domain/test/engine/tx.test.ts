import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import * as Tx from "../../src/Tx.ts"
import { isSignal } from "../../src/internal/signals.ts"
import { lanes, raw, text } from "./support.ts"

class Boom extends Data.TaggedError("Boom")<{}> {}

for (const lane of lanes) {
  const run = <A, E>(effect: Effect.Effect<A, E, Store>): Promise<A> =>
    Effect.runPromise(Effect.provide(effect, lane.layer()))

  describe(`transactions, ${lane.name}`, () => {
    it("sees its own writes, additions, appends and deletions, alone and in ranges", () =>
      run(
        Effect.gen(function* () {
          yield* raw.set("a", 1)
          yield* raw.set("b", 2)
          yield* raw.set("c", 3)
          const seen = yield* Tx.transact(
            Effect.gen(function* () {
              yield* raw.set("bb", 4)
              yield* raw.remove("b")
              yield* raw.run((tx) => tx.append("q", tx.nextIndex(), "", text("7")))
              yield* raw.run((tx) => tx.append("q", tx.nextIndex(), "", text("8")))
              yield* raw.add("n", 5)
              yield* raw.add("n", 2)
              return {
                keys: yield* raw.keys("a", "d"),
                first: yield* raw.keys("a", "d", 2),
                last: yield* raw.keys("a", "d", 2, true),
                b: yield* raw.get("b"),
                n: yield* raw.run((tx) => tx.counter("n")),
                queue: yield* raw.run((tx) =>
                  tx.range({ start: "q", end: "r" }).map((item) => new TextDecoder().decode(item.value.bytes))
                )
              }
            })
          )
          expect(seen).toEqual({
            keys: ["a", "bb", "c"],
            first: ["a", "bb"],
            last: ["c", "bb"],
            b: 0,
            n: 7,
            queue: ["7", "8"]
          })
          expect(yield* raw.keys("a", "d")).toEqual(["a", "bb", "c"])
          expect(yield* raw.run((tx) => tx.counter("n"))).toBe(7)
          expect((yield* raw.run((tx) => tx.range({ start: "q", end: "r" }))).length).toBe(2)
        })
      ))

    it("a deleted range is empty until it is written again", () =>
      run(
        Effect.gen(function* () {
          for (const key of ["a", "b", "c"]) yield* raw.set(key, 1)
          const keys = yield* Tx.transact(
            Effect.gen(function* () {
              yield* raw.set("bb", 1)
              yield* raw.run((tx) => tx.deleteRange("b", "z"))
              const between = yield* raw.keys("a", "z")
              yield* raw.set("c", 9)
              return [between, yield* raw.keys("a", "z"), yield* raw.get("b"), yield* raw.get("c")]
            })
          )
          expect(keys).toEqual([["a"], ["a", "c"], 0, 9])
          expect(yield* raw.keys("a", "z")).toEqual(["a", "c"])
        })
      ))

    it("a failing body leaves no trace, nor a nested one whose failure is caught", () =>
      run(
        Effect.gen(function* () {
          const exit = yield* Effect.exit(Tx.transact(Effect.andThen(raw.set("a", 1), new Boom())))
          expect(Exit.isFailure(exit)).toBe(true)
          yield* Tx.transact(
            Effect.gen(function* () {
              yield* raw.set("b", 1)
              yield* Effect.ignore(Tx.transact(Effect.andThen(raw.set("c", 1), new Boom())))
            })
          )
          expect([yield* raw.get("a"), yield* raw.get("b"), yield* raw.get("c")]).toEqual([0, 1, 0])
        })
      ))

    it("100 increments at once are 100 (bad case 1)", () =>
      run(
        Effect.gen(function* () {
          const increment = Tx.fn("increment")(function* () {
            const n = yield* raw.get("n")
            yield* Effect.yieldNow
            yield* raw.set("n", n + 1)
          })
          yield* Effect.all(Array.from({ length: 100 }, increment), { concurrency: "unbounded" })
          expect(yield* raw.get("n")).toBe(100)
        })
      ))

    it("disjoint keys and blind additions never conflict (bad case 4)", () =>
      run(
        Effect.gen(function* () {
          const bodies = Array.from({ length: 50 }, (_, i) =>
            Tx.transact(
              Effect.gen(function* () {
                const n = yield* raw.get(`k${i}`)
                yield* raw.add("total", 1)
                yield* Effect.yieldNow
                yield* raw.set(`k${i}`, n + 1)
                return (yield* Tx.attempt).number
              })
            )
          )
          const attempts = yield* Effect.all(bodies, { concurrency: "unbounded" })
          expect(new Set(attempts)).toEqual(new Set([1]))
          expect(yield* raw.run((tx) => tx.counter("total"))).toBe(50)
        })
      ))

    it("retry waits for a change of what was read, and only for that", () =>
      run(
        Effect.gen(function* () {
          let runs = 0
          const waiting = yield* Effect.forkChild(
            Tx.transact(
              Effect.gen(function* () {
                runs++
                const n = yield* raw.get("wanted")
                yield* raw.keys("r", "s")
                yield* Tx.check(n > 1)
                return n
              })
            ),
            { startImmediately: true }
          )
          yield* Effect.sleep(5)
          yield* raw.set("other", 1)
          yield* Effect.sleep(5)
          expect(runs).toBe(1)
          yield* raw.set("r1", 1)
          yield* Effect.sleep(5)
          expect(runs).toBe(2)
          yield* raw.set("wanted", 2)
          expect(yield* Fiber.join(waiting)).toBe(2)
          expect(runs).toBe(3)
        })
      ))

    it("a body that waits and has read nothing dies at once, and says what to do", () =>
      run(
        Effect.gen(function* () {
          const dies = (body: Effect.Effect<unknown, unknown, Tx.Transaction | Store>) =>
            Effect.map(Effect.exit(Tx.transactWith(body, { label: "idle" })), (exit) => {
              const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
              expect(reason !== undefined && Cause.isDieReason(reason) && reason.defect).toMatchObject({
                _tag: "NothingToWaitFor",
                message: expect.stringMatching(/"idle".*Read what the condition depends on/) as string
              })
            })
          yield* dies(Tx.retry)
          yield* dies(Tx.orElse(Tx.check(false), () => Tx.retry))
          // What a body has written itself, nobody else can change under it.
          yield* dies(Effect.andThen(raw.set("own", 1), Effect.andThen(raw.get("own"), Tx.retry)))
          expect(yield* raw.get("own")).toBe(0)
          // Reads of a branch that gave up, or failed, are still what it waits for.
          const body = Tx.orElse(
            Effect.flatMap(raw.get("seen"), (n) => Tx.check(n > 0)),
            () => Tx.retry
          )
          const fiber = yield* Effect.forkChild(Tx.transact(body), { startImmediately: true })
          yield* Effect.sleep(5)
          yield* raw.set("seen", 1)
          yield* Fiber.join(fiber)
        })
      ))

    it("orElse undoes the writes of the first branch and waits for the reads of both", () =>
      run(
        Effect.gen(function* () {
          const either = Tx.transact(
            Tx.orElse(
              Effect.gen(function* () {
                yield* raw.set("trace", 1)
                const a = yield* raw.get("a")
                yield* Tx.check(a > 0)
                return "a"
              }),
              () =>
                Effect.gen(function* () {
                  const b = yield* raw.get("b")
                  yield* Tx.check(b > 0)
                  return "b"
                })
            )
          )
          const first = yield* Effect.forkChild(either, { startImmediately: true })
          yield* Effect.sleep(5)
          yield* raw.set("b", 1)
          expect(yield* Fiber.join(first)).toBe("b")
          expect(yield* raw.get("trace")).toBe(0)
          yield* raw.set("b", 0)
          const second = yield* Effect.forkChild(either, { startImmediately: true })
          yield* Effect.sleep(5)
          yield* raw.set("a", 1)
          expect(yield* Fiber.join(second)).toBe("a")
          expect(yield* raw.get("trace")).toBe(1)
        })
      ))

    it("a body cannot swallow a retry, and its finalizers see no interruption", () =>
      run(
        Effect.gen(function* () {
          let interrupted = 0
          let finalized = 0
          let seen: unknown
          const body = Effect.gen(function* () {
            const n = yield* raw.get("go")
            yield* Tx.check(n > 0).pipe(
              Effect.catchCause((cause) =>
                Effect.sync(() => {
                  seen = cause
                })
              ),
              Effect.onInterrupt(() => Effect.sync(() => interrupted++)),
              Effect.ensuring(Effect.sync(() => finalized++))
            )
            return n
          })
          const fiber = yield* Effect.forkChild(Tx.transact(body), { startImmediately: true })
          yield* Effect.sleep(5)
          yield* raw.set("go", 3)
          expect(yield* Fiber.join(fiber)).toBe(3)
          expect([interrupted, finalized]).toEqual([0, 2])
          expect(isSignal(seen as Cause.Cause<never>)).toBe(true)
        })
      ))

    it("onCommit runs once, after the commit, and never for a body that fails", () =>
      run(
        Effect.gen(function* () {
          const told: Array<string> = []
          const tell = (what: string) => Tx.onCommit(Effect.sync(() => told.push(what)))
          yield* Tx.transact(Effect.andThen(tell("yes"), raw.set("a", 1)))
          yield* Tx.transact(tell("read only"))
          yield* Effect.ignore(Tx.transact(Effect.andThen(tell("no"), new Boom())))
          yield* Tx.transact(Tx.orElse(Effect.andThen(tell("not this"), Tx.retry), () => tell("that")))
          expect(told).toEqual(["yes", "read only", "that"])
        })
      ))

    it("used after its end by a forked fiber, a transaction is a named defect", () =>
      run(
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const fiber = yield* Tx.transact(Effect.forkDetach(Effect.andThen(Deferred.await(gate), raw.set("late", 1))))
          yield* Deferred.succeed(gate, undefined)
          const exit = yield* Fiber.await(fiber)
          expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toContain("TransactionEnded")
          expect(yield* raw.get("late")).toBe(0)
        })
      ))

    it("another store's operation inside is a named defect", () =>
      run(
        Effect.gen(function* () {
          const elsewhere = Effect.provide(raw.get("x"), Store.layer(MemoryBackend.layer()))
          const exit = yield* Effect.exit(Tx.transact(elsewhere))
          expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toContain("NamespaceMismatch")
        })
      ))

    it("what is too large or no number is refused with its reason, before anything is written", () =>
      run(
        Effect.gen(function* () {
          const long = yield* Effect.flip(raw.set("k".repeat(5000), 1))
          expect(long.reason).toMatchObject({ _tag: "LimitExceeded", limit: "keyBytes", actual: 5000 })
          const overflow = yield* Effect.flip(raw.add("n", 2 ** 60))
          expect(overflow.reason._tag).toBe("InvalidInput")
          yield* raw.set("text", 5)
          const notCounter = yield* Effect.flip(raw.add("text", 1))
          expect(notCounter.reason._tag).toBe("InvalidInput")
        })
      ))

    it("a timeout ends waits and bodies with TransactionTimeout, and leaves no trace", () =>
      run(
        Effect.gen(function* () {
          const waits = Tx.transactWith(Effect.andThen(raw.get("never"), Tx.retry), {
            timeout: "10 millis",
            label: "waits"
          })
          const first = yield* Effect.flip(waits)
          expect(first).toMatchObject({ _tag: "TransactionTimeout", label: "waits", attempts: 1 })
          const slow = Tx.transactWith(Effect.andThen(raw.set("a", 1), Effect.sleep("1 minute")), {
            timeout: "10 millis"
          })
          expect((yield* Effect.flip(slow))._tag).toBe("TransactionTimeout")
          expect(yield* raw.get("a")).toBe(0)
          expect(yield* Tx.transactWith(Effect.as(raw.set("a", 2), "done"), { timeout: "1 minute" })).toBe("done")
        })
      ))

    it("runLocked lets nobody else commit meanwhile", () =>
      run(
        Effect.gen(function* () {
          yield* raw.set("n", 0)
          const writer = yield* Effect.forkChild(
            Effect.forever(
              Tx.transact(Effect.flatMap(raw.get("n"), (n) => Effect.andThen(Effect.yieldNow, raw.set("n", n + 1))))
            )
          )
          yield* Effect.sleep(5)
          const attempts = yield* Store.runLocked(
            Effect.gen(function* () {
              const before = yield* raw.get("n")
              yield* Effect.sleep(10)
              yield* raw.set("copy", before)
              return (yield* Tx.attempt).number
            })
          )
          yield* Fiber.interrupt(writer)
          // What was queued before the lock may still have passed it once.
          expect(attempts).toBeLessThanOrEqual(2)
        })
      ))

    it("snapshot reads several things as of one version", () =>
      run(
        Effect.gen(function* () {
          yield* raw.set("a", 1)
          const { both, one } = yield* Store.snapshot({ one: raw.get("a"), both: raw.keys("a", "b") })
          expect([one, both]).toEqual([1, ["a"]])
        })
      ))
  })
}
