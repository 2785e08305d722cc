/**
 * A process of the chaos test: `chaosWorker.ts FILE SEED TAKERS DIARY`. Its takers consume, are cancelled, drop leases; it
 * ends when it is told to, or is killed. Lines of the diary: `TUPLE` for each one received by a plain take.
 */
import * as fs from "node:fs"
import { Effect, Fiber } from "effect"
import * as FileBackend from "@weft/backends/FileBackend"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import { Prng } from "@weft/domain/testing/Prng"
import { consume } from "./load.ts"

const [, , path, seed, takers, diaryPath] = process.argv as [string, string, string, string, string, string]
const random = new Prng(Number(seed))
const diary = fs.openSync(diaryPath, "a")
const counts = { take: 0, lease: 0, join: 0, dropped: 0, cancelled: 0, lost: 0 }
let isStopped = false

const orphaned = (): never => process.exit(1)
process.on("disconnect", orphaned)

const once = Effect.suspend(() => {
  const draw = random.below(8)
  const way = draw < 4 ? "take" : draw < 7 ? "lease" : "join"
  const isDropped = way === "lease" && random.below(4) === 0
  const note = (n: number): void => void fs.writeSync(diary, `${n}\n`)
  return Effect.map(consume(way, isDropped, note), () => void (isDropped ? counts.dropped++ : counts[way]++))
})

/** Rounds of the takers between two words to the parent, so that who is killed has told of most. */
const tellEvery = 20
let rounds = 0

const taker = Effect.gen(function* () {
  while (!isStopped) {
    if (++rounds % tellEvery === 0) process.send!(counts)
    const fiber = yield* Effect.forkChild(once)
    if (random.below(5) > 0) {
      yield* Effect.raceFirst(Effect.exit(Fiber.join(fiber)), stopped)
      // A lease that was lost meanwhile is no consumption: its tuple comes again.
      if (fiber.pollUnsafe()?._tag === "Failure") counts.lost++
    } else {
      yield* random.below(2) === 0 ? Effect.yieldNow : Effect.sleep(random.below(4))
      counts.cancelled++
    }
    yield* Fiber.interrupt(fiber)
  }
})

let stop: () => void = () => {}
const told = new Promise<void>((resolve) => (stop = resolve))
const stopped = Effect.promise(() => told)
process.on("message", () => {
  isStopped = true
  stop()
})

const main = Effect.andThen(
  Effect.sync(() => process.send!("ready")),
  Effect.all(
    Array.from({ length: Number(takers) }, () => taker),
    { concurrency: "unbounded" }
  )
)
await Effect.runPromise(
  main.pipe(Effect.provide(Store.layer(FileBackend.layer({ path }))), Effect.provideService(Sessions.Lease, "1 second"))
)
process.off("disconnect", orphaned)
process.send!(counts, () => process.disconnect())
