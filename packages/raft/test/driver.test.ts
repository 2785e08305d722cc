/** The driver's own promises, each on one node: what it tells its core about disk and clock, and when. */
import { assert, describe, it } from "@effect/vitest"
import type { Configuration, Message } from "../src/core/Types.ts"
import { Driver } from "../src/Driver.ts"
import { MemoryDisk } from "../src/MemoryLogStorage.ts"

const bootstrap: Configuration = {
  voters: ["a", "b", "c"],
  outgoing: [],
  learners: [],
  learnersNext: [],
  addresses: {}
}

type Sent<T extends Message["_tag"]> = Extract<Message, { readonly _tag: T }>

/** Node `a` of three. Turns run when the test says so; the disk answers when the test says so. */
const makeNode = () => {
  const disk = new MemoryDisk("a", { sync: "manual" })
  const turns: Array<() => void> = []
  const fatal: Array<unknown> = []
  let sent: Array<Message> = []
  let now = 0
  const driver = new Driver(
    {
      raft: { id: "a", seed: 7, bootstrap, leaseDriftBound: 0.1 },
      machine: { apply: (bytes) => bytes, snapshot: () => new Uint8Array(0), restore: () => {} },
      net: { send: (message) => sent.push(message), flush: () => {} },
      storage: disk.open(),
      clock: { ticks: () => now },
      defer: (turn) => turns.push(turn),
      probe: { fatal: (error) => fatal.push(error) }
    },
    undefined
  )
  const settle = (): void => {
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn()
  }
  const node = {
    disk,
    driver,
    fatal,
    settle,
    wait: (ticks: number): void => void (now += ticks),
    tick: (count: number): void => {
      for (let i = 0; i < count; i++) {
        now++
        driver.tick()
        settle()
      }
    },
    sync: (): void => {
      disk.sync()
      settle()
    },
    receive: (message: Message): void => {
      driver.receive(message)
      settle()
    },
    takeOf: <T extends Message["_tag"]>(tag: T): ReadonlyArray<Sent<T>> => {
      const taken = sent.filter((message): message is Sent<T> => message._tag === tag)
      sent = []
      return taken
    }
  }
  return node
}

/** A candidate of term 2: b has answered its question, term and vote are on their way to the disk. */
const makeCandidate = () => {
  const node = makeNode()
  node.tick(1)
  node.sync()
  node.tick(30)
  node.takeOf("Vote")
  node.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 2, granted: true })
  return node
}

describe("driver", () => {
  it("tells the core that a write is durable when the disk has said so, and not before", () => {
    const node = makeCandidate()
    assert.strictEqual(node.driver.raft.term, 2)
    assert.deepStrictEqual(node.takeOf("Vote"), [])
    node.sync()
    assert.deepStrictEqual(
      node.takeOf("Vote").map(({ term, to }) => ({ term, to })),
      [
        { term: 2, to: "b" },
        { term: 2, to: "c" }
      ]
    )
  })

  it("ends with a failed sync: nothing that waited for it is said", () => {
    const node = makeCandidate()
    node.disk.failNext("sync")
    node.sync()
    assert.deepStrictEqual(node.takeOf("Vote"), [])
    assert.lengthOf(node.fatal, 1)
    assert.propertyVal(node.fatal[0], "_tag", "DiskFailed")
  })

  it("reads the clock at the start of a turn: a process that was stopped wakes up without its lease", () => {
    const node = makeCandidate()
    node.sync()
    node.receive({ _tag: "VoteReply", from: "b", to: "a", term: 2, granted: true })
    node.sync()
    const [first] = node.takeOf("Append")
    assert.isDefined(first)
    node.receive({
      _tag: "AppendReply",
      from: "b",
      to: "a",
      term: 2,
      ok: true,
      index: 2,
      hintIndex: 0,
      hintTerm: 0,
      damaged: false,
      wantsSnapshot: false,
      stamp: first.stamp,
      supports: 0,
      recovering: false
    })
    const answers: Array<number | undefined> = []
    node.driver.read("lease", (index) => answers.push(index))
    node.settle()
    assert.deepStrictEqual(answers, [2])
    node.wait(100)
    node.driver.read("lease", (index) => answers.push(index))
    node.settle()
    assert.deepStrictEqual(answers, [2])
    assert.isNotEmpty(node.takeOf("Heartbeat"))
  })
})
