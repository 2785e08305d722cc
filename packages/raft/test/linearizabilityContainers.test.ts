/** Sets, queues, locks, counters: histories made by hand, with known verdicts. */
import { describe, expect, it } from "vitest"
import {
  check,
  counter,
  lock,
  type LockInput,
  type LockOutput,
  type Model,
  queue,
  type QueueInput,
  type QueueOutput,
  set,
  type SetInput,
  type SetOutput
} from "../testing/Linearizability.ts"
import { historyOf } from "./support/smallHistories.ts"
import { table } from "./support/verdicts.ts"

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
