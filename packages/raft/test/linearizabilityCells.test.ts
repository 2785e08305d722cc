/** Registers and maps: histories made by hand, with known verdicts. */
import {
  map,
  type MapInput,
  type MapOutput,
  type Model,
  register,
  type RegisterInput,
  type RegisterOutput
} from "../testing/Linearizability.ts"
import { table } from "./support/verdicts.ts"

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
