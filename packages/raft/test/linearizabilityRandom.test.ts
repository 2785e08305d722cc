/**
 * The checker against an exhaustive one on small random histories, and against simulated objects that tell the truth or lie.
 *
 * Replay: WEFT_SEED=<seed> npx vitest run packages/raft/test/linearizabilityRandom.test.ts
 */
import { expect, it } from "vitest"
import {
  check,
  HistoryRecorder,
  lock,
  type LockInput,
  type LockOutput,
  map,
  type MapInput,
  type MapOutput,
  type Model,
  queue,
  type QueueInput,
  type QueueOutput,
  register,
  type RegisterInput,
  type RegisterOutput,
  set,
  type SetInput,
  type SetOutput,
  type Value
} from "../testing/Linearizability.ts"
import { SeededRandom } from "../testing/sim/Random.ts"
import { exhaustive, type Lies, randomHistory, simulate } from "./support/smallHistories.ts"

const full = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 20261121)
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/raft/test/linearizabilityRandom.test.ts`

const agree = <S, I, O>(name: string, model: Model<S, I, O>, draw: (random: SeededRandom) => readonly [I, O]): void => {
  it(`${name}: agrees with an exhaustive checker (${replay})`, () => {
    const random = new SeededRandom(seed, name)
    const tally = { yes: 0, no: 0 }
    for (let times = 0; times < (full ? 60_000 : 3000); times++) {
      const history = randomHistory(random, 1 + random.below(7), draw)
      const expected = exhaustive(model, history)
      const verdict = check(model, history)
      const text = JSON.stringify(
        history.map(({ call, input, output, returned }) => [call, returned, input, String(output)])
      )
      expect(verdict._tag, `${times}: ${text}`).toBe(expected ? "Linearizable" : "NotLinearizable")
      tally[expected ? "yes" : "no"]++
      if (verdict._tag !== "NotLinearizable") continue
      // What is shown is a proof: it has no order by itself, and nothing that could have given one was left out.
      const { operations, partition, powerless } = verdict.counterexample
      expect(exhaustive(model, [...operations, ...powerless]), `${times}: ${text}`).toBe(false)
      // Those found by the quick look are a proof by the rule that found them.
      if (model.refute?.(history.filter(({ input }) => model.partition?.(input) === partition)) !== undefined) continue
      const shown = new Set([...operations, ...powerless].map(({ id }) => id))
      const until = Math.max(...operations.map(({ returned }) => returned!))
      const missing = history.filter(({ call, id, input, output }) => {
        const elsewhere = partition !== undefined && model.partition?.(input) !== partition
        return call <= until && !elsewhere && !model.observes(input, output) && !shown.has(id)
      })
      expect(missing, `${times}: ${text}`).toEqual([])
    }
    expect(Math.min(tally.yes, tally.no), JSON.stringify(tally)).toBeGreaterThan(300)
  })
}

const pick = <A>(random: SeededRandom, choices: ReadonlyArray<A>): A => choices[random.below(choices.length)]!

agree<Value, RegisterInput, RegisterOutput>("register", register(0), (random) => {
  const [a, b] = [random.below(3), random.below(3)]
  return pick<readonly [RegisterInput, RegisterOutput]>(random, [
    [{ op: "read" }, a],
    [{ op: "write", value: a }, null],
    [{ op: "cas", from: a, to: b }, random.below(2) === 0]
  ])
})

const mapDraw = (random: SeededRandom): readonly [MapInput, MapOutput] => {
  const key = pick(random, ["x", "y"])
  const [a, b] = [random.below(2), random.below(2)]
  return pick<readonly [MapInput, MapOutput]>(random, [
    [{ op: "get", key }, random.below(2) === 0 ? null : a],
    [{ op: "set", key, value: a }, null],
    [{ op: "delete", key }, random.below(2) === 0],
    [{ op: "setIfAbsent", key, value: a }, random.below(2) === 0],
    [{ op: "cas", key, from: a, to: b }, random.below(2) === 0]
  ])
}
agree("map", map() as Model<unknown, MapInput, MapOutput>, mapDraw)
agree<unknown, MapInput, MapOutput>("map of gets and sets", map() as Model<unknown, MapInput, MapOutput>, (random) => {
  const [input, output] = mapDraw(random)
  const write: MapInput = { op: "set", key: "x", value: random.below(2) }
  return input.op === "get" ? [input, output] : [write, null]
})
agree<unknown, MapInput, MapOutput>("map with listings", map() as Model<unknown, MapInput, MapOutput>, (random) =>
  random.below(4) === 0
    ? [
        { op: "entries" },
        pick<Value>(random, [
          [],
          [["x", 0]],
          [["x", 1]],
          [
            ["x", 1],
            ["y", 0]
          ]
        ])
      ]
    : mapDraw(random)
)
agree<unknown, SetInput, SetOutput>("set", set() as Model<unknown, SetInput, SetOutput>, (random) => {
  const element = random.below(2)
  return pick<readonly [SetInput, SetOutput]>(random, [
    [{ op: "add", element }, pick(random, [true, false, null])],
    [{ op: "remove", element }, pick(random, [true, false, null])],
    [{ op: "has", element }, random.below(2) === 0]
  ])
})
const queueDraw = (random: SeededRandom): readonly [QueueInput, QueueOutput] => {
  const value = random.below(3)
  return pick<readonly [QueueInput, QueueOutput]>(random, [
    [{ op: "offer", value }, true],
    [{ op: "offer", value }, pick(random, [true, null])],
    [{ op: "poll" }, value],
    [{ op: "poll" }, pick(random, [null, value])]
  ])
}
agree("queue", queue() as Model<unknown, QueueInput, QueueOutput>, queueDraw)
agree<unknown, QueueInput, QueueOutput>(
  "bounded queue with peeks",
  queue({ capacity: 2 }) as Model<unknown, QueueInput, QueueOutput>,
  (random) =>
    random.below(4) === 0
      ? [pick<QueueInput>(random, [{ op: "peek" }, { op: "size" }]), random.below(3)]
      : queueDraw(random)
)
agree("lock", lock() as Model<unknown, LockInput, LockOutput>, (random) => {
  const owner = pick(random, ["a", "b"])
  return pick<readonly [LockInput, LockOutput]>(random, [
    [{ op: "acquire", owner }, pick<LockOutput>(random, [true, true, false, 1, 2, 3])],
    [{ op: "acquire", owner, mode: "shared" }, true],
    [{ op: "release", owner }, random.below(4) > 0]
  ])
})

/** Runs clients on a map, honest or not; says whether anything wrong was really done. */
const runMap = (random: SeededRandom, lies: Lies, keys: number) => {
  const recorder = new HistoryRecorder<MapInput, MapOutput>()
  const now = new Map<string, Value>()
  const before = new Map<string, Value>()
  const told = { stale: 0, lost: 0 }
  simulate(
    random,
    recorder,
    { clients: 5, operations: 120, lies },
    {
      draw: (draws, number): MapInput => {
        const key = `k${draws.below(keys)}`
        return draws.below(2) === 0 ? { op: "get", key } : { op: "set", key, value: number }
      },
      apply: (input, lie) => {
        if (input.op === "get") {
          if (!before.has(input.key) || !lie("staleReads")) return now.get(input.key) ?? null
          told.stale++
          return before.get(input.key)!
        }
        if (input.op !== "set") throw new Error("not drawn")
        if (lie("lostWrites")) told.lost++
        else {
          before.set(input.key, now.get(input.key) ?? null)
          now.set(input.key, input.value)
        }
        return null
      }
    }
  )
  return { history: recorder.history(), told }
}

it(`honest maps are never accused, whatever answers get lost (${replay})`, () => {
  const random = new SeededRandom(seed, "honest")
  for (let times = 0; times < (full ? 5000 : 200); times++) {
    const { history } = runMap(random, { lostAnswers: random.below(2) * 100 }, 1 + random.below(4))
    expect(check(map(), history)._tag, `history ${times}`).toBe("Linearizable")
  }
})

/**
 * A lie is certain to show only if it is aimed: one client at a time, so that nothing is concurrent and a stale read is
 * stale in every order. Then each and every one must be caught.
 */
it(`every stale read and every lost write that somebody looked at is caught (${replay})`, () => {
  const random = new SeededRandom(seed, "liars")
  let caught = 0
  for (let times = 0; times < (full ? 5000 : 300); times++) {
    const recorder = new HistoryRecorder<RegisterInput, RegisterOutput>()
    const values: Array<number | null> = [null]
    const write = (value: number, lost: boolean): void => {
      const id = recorder.call(`c${random.below(5)}`, { op: "write", value })
      if (!lost) values.push(value)
      recorder.ok(id, null)
    }
    const read = (back: number): void => {
      const id = recorder.call(`c${random.below(5)}`, { op: "read" })
      recorder.ok(id, values.at(-1 - back)!)
    }
    const length = 5 + random.below(60)
    const wrongAt = random.below(length)
    for (let at = 0; at < length; at++) {
      if (at === wrongAt) {
        write(1000 + at, false)
        const lost = random.below(2) === 0
        if (lost) write(2000 + at, true)
        read(lost ? 0 : 1)
      } else if (random.below(2) === 0) write(at, false)
      else read(0)
    }
    const verdict = check(register(), recorder.history())
    expect(verdict._tag, `history ${times}`).toBe("NotLinearizable")
    if (verdict._tag !== "NotLinearizable") continue
    caught++
    expect(verdict.counterexample.operations.length).toBeLessThanOrEqual(3)
  }
  expect(caught).toBe(full ? 5000 : 300)
})

it(`concurrent liars are caught whenever the exhaustive rule for single keys says so (${replay})`, () => {
  const random = new SeededRandom(seed, "concurrent liars")
  let lied = 0
  let caught = 0
  for (let times = 0; times < (full ? 3000 : 150); times++) {
    const lies: Lies = random.below(2) === 0 ? { staleReads: 150 } : { lostWrites: 150 }
    const { history, told } = runMap(random, lies, 2)
    const verdict = check(map(), history)
    expect(verdict._tag).not.toBe("Undecided")
    if (told.stale + told.lost > 0) lied++
    if (verdict._tag === "NotLinearizable") caught++
    // With unique values the zone conditions of Gibbons and Korach (1997) decide a read-write register exactly.
    expect(verdict._tag === "Linearizable", `history ${times}`).toBe(zonesAllow(history))
  }
  console.log(`concurrent liars: ${lied} histories with lies, ${caught} not linearizable`)
  expect(caught).toBeGreaterThan(lied * 0.8)
})

/**
 * For registers with unique values and no unknown operations: the zone of a value reaches from the first return to the last
 * call of its write and reads. No two forward zones overlap, no backward zone lies within a forward one, and no read comes
 * before its write.
 */
const zonesAllow = (history: ReturnType<typeof runMap>["history"]): boolean => {
  const zones = new Map<string, { min: number; max: number; writeCall: number; minRead: number }>()
  for (const { call, input, output, returned } of history) {
    if (input.op !== "get" && input.op !== "set") continue
    const value = input.op === "set" ? input.value : (output as Value)
    const name = `${input.key}=${String(value)}`
    const zone = zones.get(name) ?? {
      min: Infinity,
      max: -Infinity,
      writeCall: value === null ? -1 : Infinity,
      minRead: Infinity
    }
    if (value === null) zone.min = -1
    zone.min = Math.min(zone.min, returned!)
    zone.max = Math.max(zone.max, call)
    if (input.op === "set") zone.writeCall = call
    else zone.minRead = Math.min(zone.minRead, returned!)
    zones.set(name, zone)
  }
  const all = Array.from(zones, ([name, zone]) => ({ key: name.split("=")[0], ...zone }))
  if (all.some(({ minRead, writeCall }) => minRead < writeCall)) return false
  return all.every((a) =>
    all.every((b) => {
      if (a === b || a.key !== b.key || a.min >= a.max) return true
      // a is a forward zone: [a.min, a.max] belongs to it alone.
      if (b.min < b.max) return b.max < a.min || a.max < b.min
      return !(a.min < b.max && b.min < a.max)
    })
  )
}

it(`queues of 2,000 operations with unique values: honest ones pass, doubled and swapped ones do not (${replay})`, () => {
  const random = new SeededRandom(seed, "queues")
  for (const wrong of ["none", "doubled", "swapped", "lost"] as const) {
    const recorder = new HistoryRecorder<QueueInput, QueueOutput>()
    const values: Array<Value> = []
    let polls = 0
    simulate(
      random,
      recorder,
      { clients: 10, operations: 2000, lies: {} },
      {
        draw: (draws, number): QueueInput => (draws.below(5) < 3 ? { op: "offer", value: number } : { op: "poll" }),
        apply: (input) => {
          if (input.op === "offer") {
            values.push(input.value)
            return true
          }
          if (values.length > 40 && polls++ === 300) {
            if (wrong === "doubled") return values[0]!
            if (wrong === "swapped") return values.splice(35, 1)[0]!
            if (wrong === "lost") values.shift()
          }
          return values.shift() ?? null
        }
      }
    )
    while (values.length > 0) recorder.ok(recorder.call("end", { op: "poll" }), values.shift()!)
    if (wrong === "lost") recorder.ok(recorder.call("end", { op: "poll" }), null)
    const verdict = check(queue(), recorder.history())
    expect(verdict._tag, wrong).toBe(wrong === "none" ? "Linearizable" : "NotLinearizable")
  }
})
