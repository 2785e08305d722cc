/** What the checker answers, and what it refuses: counterexamples, limits, histories. */
import { describe, expect, it } from "vitest"
import {
  check,
  fromNdjson,
  type History,
  HistoryMalformed,
  HistoryRecorder,
  map,
  type MapInput,
  type MapOutput,
  register,
  type RegisterInput,
  type RegisterOutput,
  toNdjson
} from "../testing/Linearizability.ts"
import { historyOf, type Line } from "./support/smallHistories.ts"

const read: RegisterInput = { op: "read" }
const write = (value: number): RegisterInput => ({ op: "write", value })
const cas = (from: number, to: number): RegisterInput => ({ op: "cas", from, to })

const get = (key: string): MapInput => ({ op: "get", key })
const put = (key: string, value: number): MapInput => ({ op: "set", key, value })

describe("answers", () => {
  const stale: History<RegisterInput, RegisterOutput> = historyOf<RegisterInput, RegisterOutput>([
    ["writer", 0, 1, write(1), null],
    ["other", 0, 2, { op: "cas", from: 0, to: 5 }, true],
    ["writer", 3, 4, write(2), null],
    ["idle", 3, 9, read, 2],
    ["reader", 6, 7, read, 1],
    ["late", 20, 21, write(3), null]
  ])

  it("a counterexample is short, and says why nothing fits", () => {
    const verdict = check(register(0), stale)
    if (verdict._tag !== "NotLinearizable") return expect.unreachable()
    expect(verdict.text).toMatchInlineSnapshot(`
      "not linearizable: register; no order explains these operations:
        writer [0 .. 1] write 1
        writer [3 .. 4] write 2
        reader [6 .. 7] read -> 1
      longest order found: write 1; write 2
      state then: 2
        reader: read -> 1 cannot be: the state is 2
      1 other operations cannot help, wherever they take effect: other 1"
    `)
  })

  it("the HTML timeline stands alone and escapes what clients wrote", () => {
    const evil = historyOf<RegisterInput, RegisterOutput>([
      ['<b>&"x', 0, 1, { op: "read" }, "<script>alert(1)</script>"]
    ])
    const verdict = check(register(0), evil)
    if (verdict._tag !== "NotLinearizable") return expect.unreachable()
    const html = verdict.html()
    expect(html).toMatch(/^<!doctype html>/)
    expect(html).not.toMatch(/<script|<b>|https?:/)
    expect(html).toContain("&lt;script&gt;")
    expect(html).toContain("<svg")
  })

  it("a limit that is reached is named, and no verdict is claimed", () => {
    const hard = historyOf<RegisterInput, RegisterOutput>([
      ...Array.from({ length: 14 }, (_, at): Line<RegisterInput, RegisterOutput> => [
        `c${at}`,
        0,
        100,
        cas(at, at + 1),
        at % 3 === 1
      ]),
      ["r", 101, 102, read, 77]
    ])
    const verdict = check(register(0), hard, { stepsMax: 5 })
    if (verdict._tag !== "Undecided") return expect.unreachable()
    expect(verdict.limit).toBe("stepsMax")
    expect(verdict.text).toContain("stepsMax (5)")
    let now = 0
    const timed = check(register(0), hard, { millisMax: 10, now: () => (now += 20) })
    expect(timed._tag === "Undecided" ? timed.limit : timed._tag).toBe("millisMax")
    expect(check(register(0), hard, { configurationsMax: 0 })._tag).toBe("Undecided")
  })

  it("an order that holds is given for each partition", () => {
    const verdict = check(
      map(),
      historyOf<MapInput, MapOutput>([
        ["a", 0, 5, put("x", 1), null],
        ["b", 1, 4, get("x"), 1],
        ["c", 0, 9, get("y"), null]
      ])
    )
    if (verdict._tag !== "Linearizable") return expect.unreachable()
    expect(verdict.orders.get("x")!.map(({ client }) => client)).toEqual(["a", "b"])
    expect(verdict.orders.get("y")!.map(({ client }) => client)).toEqual(["c"])
  })
})

describe("long histories", () => {
  it("the same state again and again is not the same place in the history", () => {
    const lines = Array.from({ length: 300 }, (_, at): Line<RegisterInput, RegisterOutput> => {
      return at % 3 === 2 ? ["a", 2 * at, 2 * at + 1, read, 0] : ["a", 2 * at, 2 * at + 1, write(0), null]
    })
    expect(check(register(0), historyOf(lines))._tag).toBe("Linearizable")
    const broken = [...lines, ["b", 1000, 1001, read, 1] as const]
    expect(check(register(0), historyOf(broken))._tag).toBe("NotLinearizable")
  })
})

describe("histories", () => {
  it("a recorder orders events, takes failures out, and leaves open calls unknown", () => {
    const recorder = new HistoryRecorder<RegisterInput, RegisterOutput>()
    const first = recorder.call("a", write(1))
    const second = recorder.call("b", write(2))
    const third = recorder.call("c", read)
    recorder.ok(first, null)
    recorder.failed(second)
    recorder.call("d", write(4))
    recorder.unknown(third)
    const history = recorder.history()
    expect(history.map(({ call, client, returned }) => [client, call, returned])).toEqual([
      ["a", 0, 3],
      ["c", 2, undefined],
      ["d", 4, undefined]
    ])
    expect(fromNdjson(toNdjson(history))).toEqual(history)
    expect(() => recorder.ok(first, null)).toThrow(HistoryMalformed)
  })

  it("a history that nobody can have seen is refused", () => {
    expect(() => check(register(), historyOf([["a", 5, 4, read, null]]))).toThrow(/returns at 4, before its call at 5/)
    expect(() =>
      check(register(), [...historyOf([["a", 0, 1, read, null]]), ...historyOf([["a", 2, 3, read, null]])])
    ).toThrow(/twice/)
    expect(() => check(register(), historyOf([["a", Number.NaN, 4, read, null]]))).toThrow(HistoryMalformed)
    expect(() => fromNdjson("{oops")).toThrow(/line 1/)
  })
})
