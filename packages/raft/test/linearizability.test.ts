/** Histories made by hand, with known verdicts: per model what is allowed and what is not. */
import { describe, expect, it } from "vitest"
import {
  check,
  counter,
  fromNdjson,
  type History,
  HistoryMalformed,
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
  toNdjson
} from "../testing/Linearizability.ts"
import { exhaustive, historyOf, type Line } from "./support/smallHistories.ts"

interface Row<I, O> {
  readonly name: string
  readonly good: boolean
  readonly lines: ReadonlyArray<Line<I, O>>
}

const table = <S, I, O>(name: string, model: Model<S, I, O>, rows: ReadonlyArray<Row<I, O>>): void => {
  describe(name, () => {
    for (const { good, lines, name: row } of rows) {
      it(`${good ? "allowed" : "forbidden"}: ${row}`, () => {
        const history = historyOf(lines)
        const verdict = check(model, history)
        expect(verdict._tag).toBe(good ? "Linearizable" : "NotLinearizable")
        expect(exhaustive(model, history)).toBe(good)
        if (verdict._tag !== "NotLinearizable") return
        const { operations, powerless } = verdict.counterexample
        expect(exhaustive(model, [...operations, ...powerless])).toBe(false)
        expect(verdict.counterexample.minimal).toBe(true)
      })
    }
  })
}

const read: RegisterInput = { op: "read" }
const write = (value: number): RegisterInput => ({ op: "write", value })
const cas = (from: number, to: number): RegisterInput => ({ op: "cas", from, to })

table<unknown, RegisterInput, RegisterOutput>(
  "register",
  register(0) as Model<unknown, RegisterInput, RegisterOutput>,
  [
    { name: "no operations", good: true, lines: [] },
    { name: "a read of the initial value", good: true, lines: [["a", 0, 1, read, 0]] },
    { name: "a read of a value nobody wrote", good: false, lines: [["a", 0, 1, read, 7]] },
    {
      name: "read your own write",
      good: true,
      lines: [
        ["a", 0, 1, write(1), null],
        ["a", 2, 3, read, 1]
      ]
    },
    {
      name: "a stale read after a write",
      good: false,
      lines: [
        ["a", 0, 1, write(1), null],
        ["b", 2, 3, read, 0]
      ]
    },
    {
      name: "a read beside a write sees the old value",
      good: true,
      lines: [
        ["a", 0, 5, write(1), null],
        ["b", 1, 2, read, 0]
      ]
    },
    {
      name: "a read beside a write sees the new value",
      good: true,
      lines: [
        ["a", 0, 5, write(1), null],
        ["b", 1, 2, read, 1]
      ]
    },
    {
      name: "new value, then the old one, beside one write",
      good: false,
      lines: [
        ["a", 0, 9, write(1), null],
        ["b", 1, 2, read, 1],
        ["b", 3, 4, read, 0]
      ]
    },
    {
      name: "new, then old, seen by two clients at once",
      good: true,
      lines: [
        ["a", 0, 9, write(1), null],
        ["b", 1, 4, read, 1],
        ["c", 2, 5, read, 0]
      ]
    },
    {
      name: "two clients see two writes in opposite orders",
      good: false,
      lines: [
        ["a", 0, 10, write(1), null],
        ["b", 0, 10, write(2), null],
        ["c", 11, 12, read, 1],
        ["d", 13, 14, read, 2]
      ]
    },
    {
      name: "the times touch: equal times are concurrent",
      good: true,
      lines: [
        ["a", 0, 2, write(1), null],
        ["b", 2, 3, read, 0]
      ]
    },
    {
      name: "a lost write",
      good: false,
      lines: [
        ["a", 0, 1, write(1), null],
        ["a", 2, 3, write(2), null],
        ["b", 4, 5, read, 1]
      ]
    },
    {
      name: "an unknown write took effect",
      good: true,
      lines: [
        ["a", 0, write(1)],
        ["b", 2, 3, read, 1]
      ]
    },
    {
      name: "an unknown write never took effect",
      good: true,
      lines: [
        ["a", 0, write(1)],
        ["b", 2, 3, read, 0]
      ]
    },
    {
      name: "an unknown write takes effect late",
      good: true,
      lines: [
        ["a", 0, write(1)],
        ["b", 2, 3, read, 0],
        ["b", 4, 5, write(2), null],
        ["b", 6, 7, read, 1]
      ]
    },
    {
      name: "an unknown write takes effect once, not twice",
      good: false,
      lines: [
        ["a", 0, write(1)],
        ["b", 2, 3, read, 1],
        ["b", 4, 5, write(2), null],
        ["b", 6, 7, read, 2],
        ["b", 8, 9, read, 1]
      ]
    },
    {
      name: "an unknown write before its call",
      good: false,
      lines: [
        ["b", 0, 1, read, 1],
        ["a", 2, write(1)]
      ]
    },
    {
      name: "an aborted write is read (left out of the history: it failed for certain)",
      good: false,
      lines: [
        ["a", 0, 1, write(1), null],
        ["b", 2, 3, read, 9]
      ]
    },
    {
      name: "a swap that succeeds",
      good: true,
      lines: [
        ["a", 0, 1, cas(0, 3), true],
        ["b", 2, 3, read, 3]
      ]
    },
    {
      name: "two swaps from one value both succeed",
      good: false,
      lines: [
        ["a", 0, 5, cas(0, 3), true],
        ["b", 1, 4, cas(0, 4), true]
      ]
    },
    { name: "a swap fails though the value was there", good: false, lines: [["a", 0, 1, cas(0, 3), false]] },
    {
      name: "a swap fails because of an unknown write",
      good: true,
      lines: [
        ["a", 0, write(1)],
        ["b", 1, 2, cas(0, 3), false]
      ]
    },
    {
      name: "an unknown swap explains a read, through another unknown swap",
      good: true,
      lines: [
        ["a", 0, cas(0, 1)],
        ["b", 1, cas(1, 2)],
        ["c", 2, 3, read, 2]
      ]
    },
    {
      name: "an unknown swap cannot start from a value that never was",
      good: false,
      lines: [
        ["a", 0, cas(5, 2)],
        ["c", 2, 3, read, 2]
      ]
    }
  ]
)

const get = (key: string): MapInput => ({ op: "get", key })
const put = (key: string, value: number): MapInput => ({ op: "set", key, value })

table<unknown, MapInput, MapOutput>("map", map() as Model<unknown, MapInput, MapOutput>, [
  {
    name: "keys are independent",
    good: true,
    lines: [
      ["a", 0, 1, put("x", 1), null],
      ["b", 2, 3, get("y"), null]
    ]
  },
  {
    name: "a stale read of one key among many",
    good: false,
    lines: [
      ["a", 0, 1, put("x", 1), null],
      ["a", 2, 3, put("y", 1), null],
      ["b", 4, 5, get("x"), 1],
      ["b", 6, 7, get("y"), null]
    ]
  },
  {
    name: "a delete that found something nobody put there",
    good: false,
    lines: [["a", 0, 1, { op: "delete", key: "x" }, true]]
  },
  {
    name: "two deletes of one entry both found it",
    good: false,
    lines: [
      ["a", 0, 1, put("x", 1), null],
      ["b", 2, 6, { op: "delete", key: "x" }, true],
      ["c", 3, 5, { op: "delete", key: "x" }, true]
    ]
  },
  {
    name: "two set-if-absent both won",
    good: false,
    lines: [
      ["a", 0, 5, { op: "setIfAbsent", key: "x", value: 1 }, true],
      ["b", 1, 4, { op: "setIfAbsent", key: "x", value: 2 }, true]
    ]
  },
  {
    name: "the loser of set-if-absent sees the winner's value",
    good: true,
    lines: [
      ["a", 0, 5, { op: "setIfAbsent", key: "x", value: 1 }, true],
      ["b", 1, 4, { op: "setIfAbsent", key: "x", value: 2 }, false],
      ["b", 6, 7, get("x"), 1]
    ]
  },
  {
    name: "a listing of entries at no single time",
    good: false,
    lines: [
      ["a", 0, 1, put("x", 1), null],
      ["a", 2, 3, put("y", 1), null],
      ["a", 4, 5, put("x", 2), null],
      ["b", 2, 9, { op: "entries" }, [["x", 2]]]
    ]
  },
  {
    name: "a listing beside a write sees it or not",
    good: true,
    lines: [
      ["a", 0, 1, put("x", 1), null],
      ["a", 2, 5, put("y", 1), null],
      ["b", 3, 4, { op: "entries" }, [["x", 1]]]
    ]
  },
  {
    name: "an unknown set is seen later",
    good: true,
    lines: [
      ["a", 0, put("x", 4)],
      ["b", 5, 6, get("x"), null],
      ["b", 7, 8, get("x"), 4]
    ]
  },
  {
    name: "an unknown set is seen and then not",
    good: false,
    lines: [
      ["a", 0, put("x", 4)],
      ["b", 5, 6, get("x"), 4],
      ["b", 7, 8, get("x"), null]
    ]
  }
])

const add = (element: number): SetInput => ({ op: "add", element })
const has = (element: number): SetInput => ({ op: "has", element })

table<unknown, SetInput, SetOutput>("set", set() as Model<unknown, SetInput, SetOutput>, [
  {
    name: "an added element is there",
    good: true,
    lines: [
      ["a", 0, 1, add(1), true],
      ["b", 2, 3, has(1), true]
    ]
  },
  {
    name: "a lost add",
    good: false,
    lines: [
      ["a", 0, 1, add(1), true],
      ["b", 2, 3, has(1), false]
    ]
  },
  {
    name: "one element added twice as new",
    good: false,
    lines: [
      ["a", 0, 4, add(1), true],
      ["b", 1, 3, add(1), true]
    ]
  },
  {
    name: "an add without an answer's content",
    good: true,
    lines: [
      ["a", 0, 4, add(1), null],
      ["b", 1, 3, add(1), true]
    ]
  },
  {
    name: "removed by two",
    good: false,
    lines: [
      ["a", 0, 1, add(1), true],
      ["b", 2, 5, { op: "remove", element: 1 }, true],
      ["c", 3, 4, { op: "remove", element: 1 }, true]
    ]
  },
  {
    name: "members in any order",
    good: true,
    lines: [
      ["a", 0, 1, add(1), true],
      ["a", 2, 3, add(2), true],
      ["b", 4, 5, { op: "members" }, [2, 1]]
    ]
  },
  {
    name: "a size that never was",
    good: false,
    lines: [
      ["a", 0, 1, add(1), true],
      ["a", 2, 3, add(2), true],
      ["b", 4, 5, { op: "size" }, 1]
    ]
  },
  {
    name: "an unknown add, seen and gone without a remove",
    good: false,
    lines: [
      ["a", 0, add(1)],
      ["b", 1, 2, has(1), true],
      ["b", 3, 4, has(1), false]
    ]
  }
])

const offer = (value: number): QueueInput => ({ op: "offer", value })
const poll: QueueInput = { op: "poll" }

table<unknown, QueueInput, QueueOutput>("queue", queue() as Model<unknown, QueueInput, QueueOutput>, [
  {
    name: "first in, first out",
    good: true,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["a", 2, 3, offer(2), true],
      ["b", 4, 5, poll, 1],
      ["b", 6, 7, poll, 2]
    ]
  },
  {
    name: "last in, first out",
    good: false,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["a", 2, 3, offer(2), true],
      ["b", 4, 5, poll, 2],
      ["b", 6, 7, poll, 1]
    ]
  },
  {
    name: "offers at once come out in either order",
    good: true,
    lines: [
      ["a", 0, 3, offer(1), true],
      ["c", 1, 2, offer(2), true],
      ["b", 4, 5, poll, 2],
      ["b", 6, 7, poll, 1]
    ]
  },
  {
    name: "a value polled twice",
    good: false,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["b", 2, 5, poll, 1],
      ["c", 3, 4, poll, 1]
    ]
  },
  {
    name: "a value from nowhere",
    good: false,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["b", 2, 3, poll, 9]
    ]
  },
  {
    name: "a value polled before it was offered",
    good: false,
    lines: [
      ["b", 0, 1, poll, 1],
      ["a", 2, 3, offer(1), true]
    ]
  },
  {
    name: "a lost value: empty though one was offered",
    good: false,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["b", 2, 3, poll, null]
    ]
  },
  {
    name: "a value skipped: the later one came out, then empty",
    good: false,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["a", 2, 3, offer(2), true],
      ["b", 4, 5, poll, 2],
      ["b", 6, 7, poll, null]
    ]
  },
  {
    name: "an unknown poll took the value",
    good: true,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["c", 2, poll],
      ["b", 4, 5, poll, null]
    ]
  },
  {
    name: "one unknown poll took two values",
    good: false,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["a", 2, 3, offer(2), true],
      ["c", 2, poll],
      ["b", 4, 5, poll, null]
    ]
  },
  {
    name: "an unknown offer is polled",
    good: true,
    lines: [
      ["a", 0, offer(1)],
      ["b", 4, 5, poll, 1]
    ]
  },
  {
    name: "an unknown offer is polled twice",
    good: false,
    lines: [
      ["a", 0, offer(1)],
      ["b", 4, 5, poll, 1],
      ["b", 6, 7, poll, 1]
    ]
  },
  {
    name: "a peek leaves the value",
    good: true,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["b", 2, 3, { op: "peek" }, 1],
      ["b", 4, 5, poll, 1]
    ]
  },
  {
    name: "the same value offered twice is polled twice",
    good: true,
    lines: [
      ["a", 0, 1, offer(1), true],
      ["a", 2, 3, offer(1), true],
      ["b", 4, 5, poll, 1],
      ["b", 6, 7, poll, 1]
    ]
  }
])

table<unknown, QueueInput, QueueOutput>(
  "bounded queue",
  queue({ capacity: 1 }) as Model<unknown, QueueInput, QueueOutput>,
  [
    {
      name: "full is said when full",
      good: true,
      lines: [
        ["a", 0, 1, offer(1), true],
        ["a", 2, 3, offer(2), false],
        ["b", 4, 5, { op: "size" }, 1]
      ]
    },
    { name: "full is said when empty", good: false, lines: [["a", 2, 3, offer(2), false]] },
    {
      name: "two fit into one",
      good: false,
      lines: [
        ["a", 0, 1, offer(1), true],
        ["a", 2, 3, offer(2), true]
      ]
    }
  ]
)

const acquire = (owner: string, mode?: "shared" | "exclusive"): LockInput =>
  mode ? { op: "acquire", owner, mode } : { op: "acquire", owner }
const release = (owner: string): LockInput => ({ op: "release", owner })

table<unknown, LockInput, LockOutput>("lock", lock() as Model<unknown, LockInput, LockOutput>, [
  {
    name: "one after the other",
    good: true,
    lines: [
      ["a", 0, 1, acquire("a"), 1],
      ["a", 2, 3, release("a"), true],
      ["b", 4, 5, acquire("b"), 2]
    ]
  },
  {
    name: "two holders at once",
    good: false,
    lines: [
      ["a", 0, 1, acquire("a"), true],
      ["b", 2, 3, acquire("b"), true]
    ]
  },
  {
    name: "a wait until the release",
    good: true,
    lines: [
      ["a", 0, 1, acquire("a"), 1],
      ["b", 2, 9, acquire("b"), 2],
      ["a", 3, 4, release("a"), true]
    ]
  },
  {
    name: "granted before the release was called",
    good: false,
    lines: [
      ["a", 0, 1, acquire("a"), 1],
      ["b", 2, 3, acquire("b"), 2],
      ["a", 4, 5, release("a"), true]
    ]
  },
  {
    name: "a token that does not rise",
    good: false,
    lines: [
      ["a", 0, 1, acquire("a"), 5],
      ["a", 2, 3, release("a"), true],
      ["b", 4, 5, acquire("b"), 5]
    ]
  },
  {
    name: "two readers",
    good: true,
    lines: [
      ["a", 0, 1, acquire("a", "shared"), true],
      ["b", 2, 3, acquire("b", "shared"), true]
    ]
  },
  {
    name: "a reader beside a writer",
    good: false,
    lines: [
      ["a", 0, 1, acquire("a", "exclusive"), true],
      ["b", 2, 3, acquire("b", "shared"), true]
    ]
  },
  { name: "refused though free", good: false, lines: [["a", 0, 1, acquire("a"), false]] },
  {
    name: "refused because of an unknown holder",
    good: true,
    lines: [
      ["a", 0, acquire("a")],
      ["b", 1, 2, acquire("b"), false]
    ]
  },
  {
    name: "an unknown release let the next one in",
    good: true,
    lines: [
      ["a", 0, 1, acquire("a"), 1],
      ["a", 2, release("a")],
      ["b", 3, 4, acquire("b"), 2]
    ]
  },
  {
    name: "one unknown release let two in",
    good: false,
    lines: [
      ["a", 0, 1, acquire("a"), 1],
      ["a", 2, release("a")],
      ["b", 3, 4, acquire("b"), 2],
      ["c", 5, 6, acquire("c"), 3]
    ]
  },
  {
    name: "a holder that is not told",
    good: false,
    lines: [
      ["a", 0, 1, acquire("a"), 1],
      ["b", 2, 3, { op: "holders" }, []]
    ]
  },
  { name: "released by one who did not hold it", good: false, lines: [["a", 0, 1, release("a"), true]] }
])

describe("counter", () => {
  it("answers of adds name their order", () => {
    const inc = { op: "add", amount: 1 } as const
    expect(
      check(
        counter(),
        historyOf([
          ["a", 0, 5, inc, 2],
          ["b", 1, 4, inc, 1]
        ])
      )._tag
    ).toBe("Linearizable")
    expect(
      check(
        counter(),
        historyOf([
          ["a", 0, 5, inc, 2],
          ["b", 6, 7, inc, 1]
        ])
      )._tag
    ).toBe("NotLinearizable")
    expect(
      check(
        counter(),
        historyOf([
          ["a", 0, 5, inc, 1],
          ["b", 1, 4, inc, 1]
        ])
      )._tag
    ).toBe("NotLinearizable")
  })
})

describe("answers", () => {
  const stale: History<RegisterInput, RegisterOutput> = historyOf([
    ["writer", 0, 1, write(1), null],
    ["other", 0, 2, write(5), null],
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
