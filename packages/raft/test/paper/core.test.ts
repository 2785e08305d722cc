/**
 * Parts of the core on their own: quorums against another way of counting, configurations, the log, the codec. Random cases
 * come from the printed seed: `SEED=n npx vitest run packages/raft/test/paper/core.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { MalformedBytes, Reader, Writer } from "../../src/core/Bytes.ts"
import {
  decodeEntry,
  decodeMessage,
  decodeSnapshotMeta,
  encodeEntry,
  encodeMessage,
  encodeSnapshotMeta
} from "../../src/core/Codec.ts"
import {
  Configurations,
  decodeConfiguration,
  decodeNumber,
  encodeConfiguration,
  encodeNumber,
  enterJoint,
  halvesOf,
  leaveJoint,
  normalConfiguration
} from "../../src/core/Configurations.ts"
import { Log, makeEntry } from "../../src/core/Log.ts"
import { Progress } from "../../src/core/Progress.ts"
import { reachedByQuorum, voteResult } from "../../src/core/Quorum.ts"
import { draw, makeRandom } from "../../src/core/Random.ts"
import type { Entry, Message } from "../../src/core/Types.ts"

const seed = Number(process.env["SEED"] ?? 20240611)

/** Numbers below `n` from the seed. */
const dice = (salt: number) => {
  const random = makeRandom(seed + salt)
  return (n: number): number => Math.floor(draw(random) * n)
}

const names = ["a", "b", "c", "d", "e", "f", "g"]

/** Every subset that is a majority. */
const majorities = (voters: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from({ length: 1 << voters.length }, (_, mask) => voters.filter((_, i) => (mask >> i) & 1)).filter(
    (set) => set.length * 2 > voters.length
  )

describe(`quorums (seed ${seed})`, () => {
  it("the value reached by a quorum is the largest that some majority of each half has all reached", () => {
    const roll = dice(1)
    for (let run = 0; run < 400; run++) {
      const halves = Array.from({ length: 1 + roll(2) }, () =>
        names.slice(0, 1 + roll(7)).filter((_, i) => i === 0 || roll(4) > 0)
      )
      const values = new Map(names.map((name) => [name, roll(6)]))
      const of = (name: string) => values.get(name) as number
      const slow = Math.min(
        ...halves.map((half) => Math.max(...majorities(half).map((set) => Math.min(...set.map(of)))))
      )
      assert.strictEqual(reachedByQuorum(halves, of), slow, JSON.stringify([halves, [...values]]))
    }
  })

  it("a vote is won if a majority of each half granted, lost if in some half no majority can any more", () => {
    const roll = dice(2)
    for (let run = 0; run < 400; run++) {
      const halves = Array.from({ length: 1 + roll(2) }, () => names.slice(0, 1 + roll(7)))
      const votes = new Map<string, boolean>()
      for (const name of names) if (roll(3) > 0) votes.set(name, roll(2) === 0)
      const won = halves.every((half) => majorities(half).some((set) => set.every((name) => votes.get(name) === true)))
      const lost = halves.some(
        (half) => !majorities(half).some((set) => set.every((name) => votes.get(name) !== false))
      )
      assert.strictEqual(voteResult(halves, votes), won ? "won" : lost ? "lost" : "pending")
    }
  })

  it("no voters, no quorum", () => {
    assert.throws(() => reachedByQuorum([[]], () => 9), /a decision is of voters/)
    assert.throws(() => reachedByQuorum([], () => 9), /a decision is of voters/)
    assert.notStrictEqual(voteResult([[]], new Map()), "won")
  })

  it("any two quorums meet: of a set, of a joint configuration, and of neighbours in a change", () => {
    const quorums = (configuration: ReturnType<typeof normalConfiguration>) => {
      const [first, second] = halvesOf(configuration).map(majorities)
      if (second === undefined) return first ?? []
      return (first ?? []).flatMap((x) => second.map((y) => [...new Set([...x, ...y])]))
    }
    const meet = (x: ReadonlyArray<string>, y: ReadonlyArray<string>) => x.some((name) => y.includes(name))
    const roll = dice(3)
    for (let run = 0; run < 60; run++) {
      const pick = () => {
        const set = names.slice(0, 6).filter(() => roll(2) === 0)
        return set.length === 0 ? ["a"] : set
      }
      const old = normalConfiguration({ voters: pick() })
      const joint = enterJoint(old, { voters: pick(), learners: [], addresses: {} })
      const next = leaveJoint(joint)
      for (const [x, y] of [
        [old, old],
        [old, joint],
        [joint, joint],
        [joint, next]
      ] as const) {
        for (const one of quorums(x)) for (const other of quorums(y)) assert.isTrue(meet(one, other))
      }
    }
  })
})

describe("configurations", () => {
  it("have one normal form and one form in bytes", () => {
    const one = normalConfiguration({ voters: ["b", "a", "b"], learners: ["c", "a"], addresses: { z: "1", b: "2" } })
    assert.deepStrictEqual(one, {
      voters: ["a", "b"],
      outgoing: [],
      learners: ["c"],
      learnersNext: [],
      addresses: { b: "2" }
    })
    const other = normalConfiguration({ voters: ["a", "b"], learners: ["c"], addresses: { b: "2" } })
    assert.deepStrictEqual(encodeConfiguration(one), encodeConfiguration(other))
    assert.deepStrictEqual(decodeConfiguration(encodeConfiguration(one)), one)
  })

  it("a voter that becomes a learner stays a voter until the joint configuration is left", () => {
    const old = normalConfiguration({ voters: ["a", "b", "c"] })
    const joint = enterJoint(old, { voters: ["a", "b"], learners: ["c", "d"], addresses: {} })
    assert.deepStrictEqual([joint.outgoing, joint.learners, joint.learnersNext], [["a", "b", "c"], ["d"], ["c"]])
    assert.deepStrictEqual(leaveJoint(joint).learners, ["c", "d"])
    assert.throws(() => enterJoint(joint, { voters: ["a"], learners: [], addresses: {} }), /left before another/)
  })

  it("the history undoes by truncation and knows what was in force at an index", () => {
    const of = (voter: string) => normalConfiguration({ voters: [voter] })
    const history = new Configurations({ index: 0, configuration: of("a") })
    history.append(3, of("b"))
    history.append(6, of("c"))
    assert.deepStrictEqual(
      [2, 3, 5, 6, 9].map((index) => history.at(index).configuration.voters[0]),
      ["a", "b", "b", "c", "c"]
    )
    assert.isFalse(history.truncateFrom(7))
    assert.isTrue(history.truncateFrom(4))
    assert.strictEqual(history.inForce.index, 3)
    history.insert(2, of("x"))
    assert.deepStrictEqual(
      history.all.map(({ index }) => index),
      [0, 2, 3]
    )
    history.compactTo(2)
    assert.deepStrictEqual(
      history.all.map(({ index }) => index),
      [2, 3]
    )
    history.truncateFrom(1)
    assert.strictEqual(history.all.length, 1, "the base is never undone")
  })

  it("numbers in entries", () => {
    for (const value of [0, 1, 255, 2 ** 40, Number.MAX_SAFE_INTEGER])
      assert.strictEqual(decodeNumber(encodeNumber(value)), value)
  })
})

describe("log", () => {
  const log = (...terms: ReadonlyArray<number>) => {
    const made = new Log(0, 0)
    terms.forEach((term, i) => made.append(makeEntry(i + 1, term, "command", new Uint8Array(10))))
    return made
  }

  it("slices keep both limits, give at least one entry, and are shared", () => {
    const made = log(1, 1, 1, 1)
    assert.strictEqual(made.slice(2, 2, 1e9).length, 2)
    assert.strictEqual(made.slice(2, 9, 120).length, 2)
    assert.strictEqual(made.slice(2, 9, 1).length, 1)
    assert.strictEqual(made.slice(5, 9, 1).length, 0)
    const first = made.slice(1, 9, 1e9)
    assert.strictEqual(made.slice(1, 9, 1e9), first)
    made.append(makeEntry(5, 1, "noop"))
    assert.strictEqual(first.length, 4, "a slice that was given never changes")
    assert.strictEqual(made.slice(1, 9, 1e9).length, 5)
  })

  it("counts its bytes through append, truncation, compaction and reset", () => {
    const made = log(1, 1, 2)
    assert.strictEqual(made.bytes, 3 * 58)
    made.truncateFrom(3)
    assert.deepStrictEqual([made.bytes, made.lastTerm], [2 * 58, 1])
    made.compactTo(1)
    assert.deepStrictEqual([made.bytes, made.base, made.baseTerm, made.get(1)], [58, 1, 1, undefined])
    assert.throws(() => made.truncateFrom(1), /compacted entry is never truncated/)
    made.reset(7, 3)
    assert.deepStrictEqual(
      [made.bytes, made.lastIndex, made.lastTerm, made.termAt(7), made.termAt(8)],
      [0, 7, 3, 3, -1]
    )
  })

  it("has no holes and no falling terms", () => {
    assert.throws(() => log(1).append(makeEntry(3, 1, "noop")), /no holes/)
    assert.throws(() => log(2).append(makeEntry(2, 1, "noop")), /terms never fall/)
  })

  it("a peer's window frees what is acknowledged, oldest first", () => {
    const peer = new Progress("b", 1, 0)
    peer.becomeReplicate()
    for (let last = 1; last <= 600; last++) peer.sent(last, 10)
    assert.isTrue(peer.acknowledge(400))
    assert.isFalse(peer.acknowledge(300))
    assert.deepStrictEqual([peer.inflightMessages, peer.inflightBytes, peer.match, peer.next], [200, 2000, 400, 601])
    peer.acknowledge(700)
    assert.deepStrictEqual([peer.inflightMessages, peer.inflightBytes, peer.next], [0, 0, 701])
    peer.check()
    peer.next = 5
    assert.throws(() => peer.check(), /match < next/)
  })
})

const randomEntry = (roll: (n: number) => number, index: number): Entry => ({
  index,
  term: roll(2 ** 31),
  kind:
    (["command", "part", "noop", "configuration", "version", "openSession", "closeSession", "expireSessions"] as const)[
      roll(8)
    ] ?? "noop",
  session: roll(1000),
  sequence: roll(2 ** 31) * 2 ** 20,
  resolved: roll(5),
  data: Uint8Array.from({ length: roll(40) }, () => roll(256))
})

const messages = (roll: (n: number) => number): ReadonlyArray<Message> => {
  const head = { from: names[roll(7)] ?? "a", to: `knoten-ä-${roll(9)}`, term: roll(1e9) }
  const entries = Array.from({ length: roll(4) }, (_, i) => randomEntry(roll, i + 5))
  const meta = {
    index: roll(1e6),
    term: roll(99),
    configuration: normalConfiguration({
      voters: names.slice(0, 1 + roll(6)),
      learners: ["x"],
      addresses: { a: "host:1" }
    }),
    configurationIndex: 1,
    bytes: roll(1e6)
  }
  const proposal = {
    kind: "command",
    session: roll(9),
    sequence: 1,
    resolved: 0,
    data: new Uint8Array(roll(9))
  } as const
  const odd = { stamp: roll(1e6) / 7, supports: roll(5), recovering: roll(2) === 0 }
  return [
    { _tag: "PreVote", ...head, lastIndex: 3, lastTerm: 2 },
    { _tag: "PreVoteReply", ...head, granted: true },
    { _tag: "Vote", ...head, lastIndex: 3, lastTerm: 2, transfer: true },
    { _tag: "VoteReply", ...head, granted: false },
    { _tag: "Append", ...head, prevIndex: 4, prevTerm: 1, entries, commit: 3, stamp: odd.stamp },
    {
      _tag: "AppendReply",
      ...head,
      ok: false,
      index: 9,
      hintIndex: 3,
      hintTerm: -1,
      damaged: true,
      wantsSnapshot: false,
      ...odd
    },
    { _tag: "Heartbeat", ...head, commit: 1, match: 2, matchTerm: 1, lastIndex: 3, round: 4, stamp: odd.stamp },
    { _tag: "HeartbeatReply", ...head, round: 7, ...odd },
    { _tag: "SnapshotPiece", ...head, meta, offset: 5, data: new Uint8Array(roll(9)), done: true, stamp: -1 },
    { _tag: "SnapshotReply", ...head, index: 8, offset: 5, installed: false, stamp: odd.stamp },
    { _tag: "TimeoutNow", ...head },
    { _tag: "Forward", ...head, requestId: 7, life: 2 ** 32 - 1, proposal },
    { _tag: "ForwardReply", ...head, requestId: 7, life: 1, index: 0, entryTerm: 2, refused: "NoQuorum" },
    { _tag: "ForwardReply", ...head, requestId: 7, life: 1, index: 5, entryTerm: 2, refused: undefined },
    { _tag: "ReadIndex", ...head, batch: 3, life: 4 },
    { _tag: "ReadIndexReply", ...head, batch: 3, life: 4, index: 9 },
    { _tag: "EntriesWanted", ...head, fromIndex: 1, toIndex: 9 },
    { _tag: "EntriesFound", ...head, entries, commit: 4 }
  ]
}

describe(`codec (seed ${seed})`, () => {
  it("every message comes back equal", () => {
    const roll = dice(4)
    for (let run = 0; run < 50; run++) {
      for (const message of messages(roll)) assert.deepStrictEqual(decodeMessage(encodeMessage(message)), message)
    }
  })

  it("entries and snapshot descriptions come back equal", () => {
    const roll = dice(5)
    for (let run = 0; run < 200; run++) {
      const entry = randomEntry(roll, 1 + roll(1e9))
      assert.deepStrictEqual(decodeEntry(encodeEntry(entry)), entry)
    }
    const piece = messages(roll).find((message) => message._tag === "SnapshotPiece")
    assert.isTrue(piece?._tag === "SnapshotPiece")
    if (piece?._tag === "SnapshotPiece")
      assert.deepStrictEqual(decodeSnapshotMeta(encodeSnapshotMeta(piece.meta)), piece.meta)
  })

  it("bytes that are cut off at any place are refused, never read as something else", () => {
    for (const message of messages(dice(6))) {
      const whole = encodeMessage(message)
      for (let length = 0; length < whole.length; length++) {
        assert.throws(() => decodeMessage(whole.subarray(0, length)), undefined, undefined, `${message._tag} ${length}`)
      }
      assert.throws(() => decodeMessage(new Uint8Array([...whole, 0])), MalformedBytes)
    }
  })

  it("flipped bits give an error or another message, never a hang or another kind of error", () => {
    const roll = dice(7)
    for (const message of messages(roll)) {
      const whole = encodeMessage(message)
      for (let run = 0; run < 200; run++) {
        const bytes = whole.slice()
        const at = roll(bytes.length)
        bytes[at] = (bytes[at] as number) ^ (1 << roll(8))
        try {
          decodeMessage(bytes)
        } catch (error) {
          assert.isTrue(error instanceof MalformedBytes, String(error))
        }
      }
    }
  })

  it("golden bytes: the format of entries and messages is fixed", () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
    const entry: Entry = {
      index: 300,
      term: 7,
      kind: "command",
      session: 5,
      sequence: 2,
      resolved: 1,
      data: new Uint8Array([1, 2])
    }
    assert.strictEqual(hex(encodeEntry(entry)), "00ac0207050201020102")
    const vote: Message = { _tag: "Vote", from: "a", to: "b", term: 2, lastIndex: 3, lastTerm: 1, transfer: true }
    assert.strictEqual(hex(encodeMessage(vote)), "020161016202030101")
  })

  it("integers are safe integers", () => {
    const writer = new Writer(1)
    for (const value of [0, 127, 128, 2 ** 31, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]) writer.uint(value)
    const reader = new Reader(writer.done())
    assert.deepStrictEqual(
      Array.from({ length: 6 }, () => reader.uint()),
      [0, 127, 128, 2 ** 31, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]
    )
    assert.throws(() => new Reader(new Uint8Array(9).fill(255)).uint(), MalformedBytes)
    assert.throws(() => new Reader(new Uint8Array([255, 255, 255, 255, 255, 255, 255, 127])).uint(), MalformedBytes)
    assert.throws(() => new Reader(new Uint8Array([2])).bool(), MalformedBytes)
    assert.throws(() => new Reader(new Uint8Array([1, 255])).text(), MalformedBytes)
  })
})
