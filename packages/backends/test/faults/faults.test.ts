/**
 * Disks that fail: `strace` makes calls on the store's files fail (EIO, ENOSPC; one, or all from one on), or hang. Nothing
 * acknowledged is lost, nothing is acknowledged falsely, what was refused is not there, and the process says what happened
 * by a typed error. Short: each kind of fault once, at places drawn from a seed; full: many places of each.
 */
import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { Prng } from "@weft/domain/testing/Prng"
import * as FileBackend from "../../src/FileBackend.ts"
import { client, memoryDirectory } from "../support.ts"
import { calls, countCalls, judge, runUnderFault, type Fault, type Journal, type Verdict } from "./faults.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 5)
const commits = isFull ? 40 : 14
const placesPerKind = isFull ? 25 : 1
const hangMillis = isFull ? 30_000 : 2_000
const hasStrace = spawnSync("strace", ["-V"]).status === 0
const replay = `replay: WEFT_SEED=${seed}${isFull ? " WEFT_SCALE=full" : ""} npx vitest run packages/backends/test/faults`

/** Places spread over a run: every kind of fault, at `placesPerKind` of its calls. */
const faultsFor = (counts: Readonly<Record<(typeof calls)[number], number>>, prng: Prng) => {
  const faults: Array<Fault> = []
  for (const call of calls) {
    for (const error of ["EIO", "ENOSPC"]) {
      // Once and for ever; the short form takes each of the two with half of the errors.
      const short = [(calls.indexOf(call) + (error === "EIO" ? 0 : 1)) % 2 === 0 ? "" : "+"]
      for (const forEver of isFull ? ["", "+"] : short) {
        const places = new Set<number>()
        const wanted = Math.min(placesPerKind, counts[call])
        while (places.size < wanted) places.add(prng.between(1, counts[call]))
        for (const place of places) faults.push({ call, injection: `error=${error}`, when: `${place}${forEver}` })
      }
    }
  }
  return faults
}

const nameOf = ({ call, injection, when }: Fault) => `${call} ${injection} at ${when}`

const tryFault = (journal: Journal, fault: Fault) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = path.join(yield* memoryDirectory, "desk.weft")
      const told = yield* Effect.promise(() => runUnderFault({ file, journal, commits, fault }))
      const verdict = yield* judge(file, journal, told)
      if (verdict.wrong.length > 0) {
        const lines = told.lines.slice(-6).map((line) => line.slice(0, 300))
        throw new Error([`${nameOf(fault)}; ${replay}`, ...verdict.wrong.slice(0, 8), "told:", ...lines].join("\n  "))
      }
      return { ...verdict, injected: told.injected }
    })
  )

const sum = (verdicts: ReadonlyArray<Verdict>, of: (verdict: Verdict) => number): number =>
  verdicts.reduce((total, verdict) => total + of(verdict), 0)

describe.skipIf(!hasStrace)(`a disk that fails${hasStrace ? "" : " (skipped: strace is not installed)"}`, () => {
  for (const journal of ["wal", "rollback"] as const) {
    it.live(
      `errors of writes, syncs and truncations: ${journal}`,
      () =>
        Effect.gen(function* () {
          const quiet = yield* Effect.scoped(
            Effect.flatMap(memoryDirectory, (dir) =>
              Effect.promise(() => runUnderFault({ file: path.join(dir, "desk.weft"), journal, commits }))
            )
          )
          assert.strictEqual(quiet.lines.at(-1), "done", quiet.stderr.slice(-2000))
          const counts = countCalls(quiet)
          const faults = faultsFor(counts, new Prng(seed))
          const verdicts = yield* Effect.forEach(faults, (fault) => tryFault(journal, fault), { concurrency: 2 })
          const met = verdicts.filter(({ injected }) => injected > 0).length
          const counted = calls.map((call) => `${call} ${counts[call]}`).join(", ")
          console.log(
            `${journal}: ${faults.length} runs (calls of a quiet run: ${counted}), ${met} met their fault, ${sum(verdicts, (v) => v.acknowledged)} acknowledged, ${sum(verdicts, (v) => v.refused)} refused, ${sum(verdicts, (v) => v.unknown)} unknown of which ${sum(verdicts, (v) => v.kept)} stand, ${sum(verdicts, (v) => (v.opened ? 0 : 1))} not opened`
          )
          assert.isAbove(met, faults.length * 0.7)
          assert.isAbove(
            sum(verdicts, (v) => v.unknown + v.refused),
            0
          )
        }),
      3_600_000
    )
  }

  it.live(
    `a sync that hangs ${hangMillis} ms: the other process goes on waiting, reading, and then writing`,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = path.join(yield* memoryDirectory, "desk.weft")
          const warnings: Array<string> = []
          const logger = Logger.make(({ message }) => void warnings.push(String(message)))
          const backend = yield* Effect.provide(FileBackend.make({ path: file }), Logger.layer([logger]))
          yield* client(backend).set("mine", "0")
          const fault: Fault = { call: "fsync", injection: `delay_enter=${hangMillis * 1000}`, when: "9" }
          const delay = monitorEventLoopDelay({ resolution: 5 })
          const hanging = { acks: 0, isOver: false }
          const running = runUnderFault({ file, journal: "wal", commits, fault }, (line) => {
            if (line.startsWith("ack ")) hanging.acks++
          }).finally(() => (hanging.isOver = true))
          while (hanging.acks === 0) yield* Effect.sleep(10)
          delay.enable()
          const own = client(backend)
          let written = 0
          let read = 0
          const write = Effect.whileLoop({
            while: () => !hanging.isOver,
            body: () => Effect.flatMap(own.set("mine", `${++written}`), () => Effect.sleep(5)),
            step: () => {}
          })
          const look = Effect.whileLoop({
            while: () => !hanging.isOver,
            body: () => Effect.flatMap(backend.read({ keys: ["mine", "a0"], ranges: [] }), () => Effect.sleep(5)),
            step: () => read++
          })
          yield* Effect.all([write, look], { concurrency: "unbounded" })
          delay.disable()
          const told = yield* Effect.promise(() => running)
          assert.strictEqual(told.injected, 1, told.stderr.slice(-500))
          const longestBlock = delay.max / 1e6
          console.log(
            `hang of ${hangMillis} ms: meanwhile ${read} reads and ${written} writes of the other process, whose loop stood still for ${longestBlock.toFixed(0)} ms at most`
          )
          assert.strictEqual(hanging.acks, commits)
          assert.match(warnings.join("\n"), /have waited 1000 ms for another process that holds the file's lock/)
          // Reads do not wait for a writer; a loop that stood still with it would have served a handful.
          assert.isAbove(read, 50)
          assert.isBelow(longestBlock, hangMillis / 2)
          const { cells } = yield* backend.read({ keys: [`a${commits - 1}`, "mine"], ranges: [] })
          assert.isTrue(cells.every((cell) => cell !== undefined))
        })
      ),
    120_000
  )
})
