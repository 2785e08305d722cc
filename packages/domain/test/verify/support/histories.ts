/** Histories written by hand, with their verdict. Times overlap (all concurrent) unless the case is about real time. */
import type { Kind } from "../../../testing/Serializability.ts"

export interface Case {
  readonly name: string
  readonly text: string
  /** Empty: strictly serializable. */
  readonly kinds: ReadonlyArray<Kind>
}

const good = (name: string, text: string): Case => ({ name, text, kinds: [] })
const bad = (name: string, kind: Kind, text: string): Case => ({ name, text, kinds: [kind] })

export const verdicts: ReadonlyArray<Case> = [
  good("nothing", ""),
  good("one append", "a ok [1,2] append x 1"),
  good(
    "read then append, twice",
    "a ok [1,2] list x [], append x 1\nb ok [3,4] list x [1], append x 2\nc ok [5,6] list x [1 2]"
  ),
  good(
    "appends of one transaction stay together",
    "a ok [1,9] append x 1, append x 2\nb ok [1,9] append x 3\nc ok [1,9] list x [3 1 2]"
  ),
  good("a transaction reads its own appends", "a ok [1,9] append x 1, list x [1], append x 2, list x [1 2]"),
  good("own appends above what others wrote", "a ok [1,2] append x 1\nb ok [3,4] append x 2, list x [1 2]"),
  good("a concurrent reader sees it or not", "a ok [1,9] append x 1\nb ok [2,3] list x []\nc ok [4,5] list x [1]"),
  good("appends that nobody reads", "a ok [1,9] append x 1\nb ok [1,9] append x 2\nc ok [1,9] list x []"),
  good("an unknown commit that nobody saw", "a unknown [1,2] append x 1\nb ok [3,4] list x []"),
  good(
    "an unknown commit that was seen later",
    "a unknown [1,2] append x 1\nb ok [3,4] list x []\nc ok [5,6] list x [1]"
  ),
  good("a failed append that nobody saw", "a failed [1,2] append x 1\nb ok [3,4] list x []"),
  good(
    "what a failed transaction read does not count here",
    "a ok [1,9] append x 1\nb failed [1,9] list x [1], list y [7]"
  ),
  good(
    "register: read, write, read",
    "a ok [1,2] read x null, write x 1\nb ok [3,4] read x 1, write x 2\nc ok [5,6] read x 2"
  ),
  good("register: blind writes in either order", "a ok [1,9] write x 1\nb ok [1,9] write x 2\nc ok [10,11] read x 1"),
  good("register: the later write wins inside", "a ok [1,9] write x 1, write x 2, read x 2\nb ok [10,11] read x 2"),
  good("equal times are concurrent", "a ok [1,2] append x 1\nb ok [2,3] list x []"),

  bad(
    "two lists appended in opposite orders",
    "G0",
    "a ok [1,9] append x 1, append y 1\nb ok [1,9] append x 2, append y 2\nc ok [10,11] list x [1 2]\nd ok [10,11] list y [2 1]"
  ),
  bad(
    "appends of one transaction torn apart",
    "G0",
    "a ok [1,9] append x 1, append x 2\nb ok [1,9] append x 3\nc ok [10,11] list x [1 3 2]"
  ),
  bad(
    "register: write order of a chain against another key",
    "G0",
    "a ok [1,9] read x null, write x 1, read y 2, write y 1\nb ok [1,9] read x 1, write x 2, read y null, write y 2"
  ),
  bad("aborted read", "G1a", "a failed [1,9] append x 1\nb ok [1,9] list x [1]"),
  bad("aborted read of a register", "G1a", "a failed [1,9] write x 1\nb ok [1,9] read x 1"),
  {
    name: "intermediate read",
    kinds: ["G1b", "GSingle"],
    text: "a ok [1,9] append x 1, append x 2\nb ok [1,9] list x [1]\nc ok [10,11] list x [1 2]"
  },
  bad("intermediate read of a register", "G1b", "a ok [1,9] write x 1, write x 2\nb ok [1,9] read x 1"),
  bad("each saw the other's append", "G1c", "a ok [1,9] append x 1, list y [1]\nb ok [1,9] append y 1, list x [1]"),
  bad(
    "three saw each other in a ring",
    "G1c",
    "a ok [1,9] append x 1, list z [1]\nb ok [1,9] append y 1, list x [1]\nc ok [1,9] append z 1, list y [1]"
  ),
  bad("registers: each saw the other's write", "G1c", "a ok [1,9] write x 1, read y 1\nb ok [1,9] write y 1, read x 1"),
  bad("read skew", "GSingle", "a ok [1,9] append x 1, append y 1\nb ok [1,9] list x [1], list y []"),
  bad(
    "read skew of registers",
    "GSingle",
    "a ok [1,9] read x null, read y null, write x 1, write y 1\nb ok [1,9] read x 1, read y null"
  ),
  bad(
    "read skew over a chain",
    "GSingle",
    "a ok [1,9] append x 1\nb ok [1,9] list x [1], append y 1\nc ok [1,9] list y [1], list x []"
  ),
  bad(
    "lost update",
    "LostUpdate",
    "a ok [1,9] list x [], append x 1\nb ok [1,9] list x [], append x 2\nc ok [10,11] list x [1 2]"
  ),
  bad(
    "lost update of a register",
    "LostUpdate",
    "a ok [1,9] read x null, write x 1\nb ok [1,9] read x null, write x 2"
  ),
  bad("write skew", "WriteSkew", "a ok [1,9] list x [], append y 1\nb ok [1,9] list y [], append x 1"),
  bad(
    "write skew of registers",
    "WriteSkew",
    "a ok [1,9] read x null, read y null, write x 1\nb ok [1,9] read x null, read y null, write y 1"
  ),
  bad(
    "write skew of three",
    "WriteSkew",
    "a ok [1,9] list x [], append y 1\nb ok [1,9] list y [], append z 1\nc ok [1,9] list z [], append x 1"
  ),
  bad(
    "long fork",
    "LongFork",
    "a ok [1,9] append x 1\nb ok [1,9] append y 1\nc ok [1,9] list x [1], list y []\nd ok [1,9] list x [], list y [1]"
  ),
  bad(
    "long fork of registers",
    "LongFork",
    "a ok [1,9] write x 1\nb ok [1,9] write y 1\nc ok [1,9] read x 1, read y null\nd ok [1,9] read x null, read y 1"
  ),
  bad(
    "anti-dependencies side by side with others",
    "G2",
    "a ok [1,9] list x [], list y [1]\nb ok [1,9] append x 1, list y []\nc ok [1,9] append y 1"
  ),
  bad("stale read", "StaleRead", "a ok [1,2] append x 1\nb ok [3,4] list x []"),
  bad("stale read of a register", "StaleRead", "a ok [1,2] write x 1\nb ok [3,4] write x 2\nc ok [5,6] read x 1"),
  bad(
    "an acknowledged append is gone",
    "RealTime",
    "a ok [1,2] append x 1\nb ok [3,4] append x 2\nc ok [5,6] list x [2]"
  ),
  bad("time turned round", "RealTime", "a ok [1,2] append x 1\nb ok [3,4] append x 2\nc ok [1,9] list x [2 1]"),
  bad("read from the future", "RealTime", "a ok [1,2] list x [1]\nb ok [3,4] append x 1"),
  bad("an own append is missing", "Internal", "a ok [1,9] append x 1, list x []"),
  bad("a second read differs", "Internal", "a ok [1,9] list x [], list x [1]\nb ok [1,9] append x 1"),
  bad("an own write is missing", "Internal", "a ok [1,9] write x 1, read x 2\nb ok [1,9] write x 2"),
  bad("a value from nowhere", "Garbage", "a ok [1,9] list x [7]"),
  bad("a register from nowhere", "Garbage", "a ok [1,9] read x 7"),
  bad("an append applied twice", "Duplicate", "a ok [1,9] append x 1\nb ok [10,11] list x [1 1]"),
  bad("its own append before it made it", "Internal", "a ok [1,9] list x [1], append x 1"),
  {
    name: "neither list is a prefix of the other",
    kinds: ["GSingle", "IncompatibleOrder"],
    text: "a ok [1,9] append x 1\nb ok [1,9] append x 2\nc ok [1,9] list x [1]\nd ok [1,9] list x [2]"
  },
  {
    name: "a transaction's appends the wrong way round",
    kinds: ["G1b", "IncompatibleOrder"],
    text: "a ok [1,9] append x 1, append x 2\nb ok [10,11] list x [2 1]"
  },
  {
    name: "an unknown commit that was seen was aborted by its own read",
    kinds: ["StaleRead"],
    text: "a ok [1,2] append y 1\nb unknown [3,4] list y [], append x 1\nc ok [5,6] list x [1]"
  }
]
