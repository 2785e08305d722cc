/**
 * Repair of damaged logs on random histories: damaged nodes must end with exactly the entries that stood there, from a leader
 * and from each other. `SEED=n npx vitest run packages/raft/test/paper/repairRandom.test.ts` replays.
 */
import { assert, describe, it } from "@effect/vitest"
import { Raft } from "../../src/core/Raft.ts"
import { draw, makeRandom } from "../../src/core/Random.ts"
import type { DamagedRange, Entry, Limits, Message, Restored } from "../../src/core/Types.ts"
import { log, without } from "./damage.ts"
import { command } from "./kit.ts"

const seed = Number(process.env["SEED"] ?? 7)

/** Logs of three nodes as a history of leaders leaves them: they satisfy Log Matching, and differ at their ends. */
const history = (roll: (n: number) => number): ReadonlyArray<ReadonlyArray<Entry>> => {
  const logs: Array<Array<Entry>> = [0, 1, 2].map(() => [...log(1)])
  for (let term = 2; term < 8; term++) {
    const leader = logs[roll(3)] as Array<Entry>
    for (let count = roll(5); count >= 0; count--)
      leader.push(command(leader.length + 1, term, `${term}.${leader.length}`))
    for (const other of logs) {
      if (other === leader || roll(3) === 0) continue
      const upTo = 1 + roll(leader.length)
      const conflict = leader.slice(0, upTo).findIndex((entry, i) => other[i]?.term !== entry.term)
      if (conflict < 0) continue
      other.splice(conflict, Infinity, ...leader.slice(conflict, upTo))
    }
  }
  return logs
}

const randomHoles = (roll: (n: number) => number, length: number): ReadonlyArray<DamagedRange> => {
  const lost = Array.from({ length: length - 1 }, (_, i) => i + 2).filter(() => roll(4) === 0)
  return lost.map((index) => ({ from: index, to: index }))
}

interface Node {
  readonly raft: Raft
  readonly id: string
}

/** Runs nodes against each other until they are silent, with loss; returns after `turns` at most. */
const pump = (nodes: ReadonlyArray<Node>, roll: (n: number) => number, loss: number, check: () => void): void => {
  const queue: Array<Message> = []
  const turn = (node: Node): void => {
    while (node.raft.hasWork()) {
      const output = node.raft.ready()
      for (const message of output.messages) if (loss === 0 || roll(loss) > 0) queue.push(message)
      if (output.persist !== undefined) node.raft.step({ _tag: "Persisted", write: output.persist.write })
    }
    check()
  }
  for (const node of nodes) turn(node)
  for (let count = 0; count < 2000 && queue.length > 0; count++) {
    const [message] = queue.splice(loss === 0 ? 0 : roll(queue.length), 1)
    const node = nodes.find(({ id }) => id === message?.to)
    if (node === undefined || message === undefined) continue
    node.raft.step({ _tag: "Receive", message })
    turn(node)
  }
}

const limits: Partial<Limits> = { appendEntriesMax: 2, windowMessages: 2 }

describe(`damage at random (seed ${seed})`, () => {
  const dice = (run: number) => {
    const random = makeRandom(seed * 1000 + run)
    return (n: number): number => Math.floor(draw(random) * n)
  }

  it("a leader mends its followers: afterwards their logs are its own, and nothing that matched was ever cut", () => {
    let mended = 0
    for (let run = 0; run < 150; run++) {
      const roll = dice(run)
      const logs = history(roll)
      const up = (x: ReadonlyArray<Entry>, y: ReadonlyArray<Entry>) =>
        (x[x.length - 1] as Entry).term - (y[y.length - 1] as Entry).term || x.length - y.length
      const best = [...logs].sort(up)[2] as ReadonlyArray<Entry>
      const others = logs.filter((one) => one !== best)
      const raft = (id: string, restored: Restored) => new Raft({ id, seed: run, limits }, restored)
      const nodes: ReadonlyArray<Node> = [
        { id: "a", raft: raft("a", without(best, [])) },
        {
          id: "b",
          raft: raft("b", without(others[0] as ReadonlyArray<Entry>, randomHoles(roll, (others[0] ?? []).length)))
        },
        {
          id: "c",
          raft: raft("c", without(others[1] as ReadonlyArray<Entry>, randomHoles(roll, (others[1] ?? []).length)))
        }
      ]
      mended += nodes.reduce((sum, node) => sum + node.raft.snapshot().damaged.length, 0)
      const leader = (nodes[0] as Node).raft
      const same = () => {
        for (const { raft: one } of nodes) {
          for (let index = 2; index <= one.commit; index++) {
            const entry = one.entry(index)
            if (entry?.kind !== "damaged")
              assert.deepStrictEqual(entry, leader.entry(index), `run ${run} entry ${index}`)
          }
        }
      }
      let now = 0
      const tick = (count: number) => {
        for (; count > 0; count--) {
          now++
          for (const node of nodes) node.raft.step({ _tag: "Tick", now })
          pump(nodes, roll, count > 6 ? 4 : 0, leader.role === "leader" ? same : () => {})
        }
      }
      for (const node of nodes) node.raft.step({ _tag: "Clock", now: (now = 10) })
      leader.step({ _tag: "Campaign" })
      pump(nodes, roll, 0, () => {})
      assert.strictEqual(leader.role, "leader", `run ${run}`)
      tick(20)
      assert.strictEqual(leader.role, "leader", `run ${run}`)
      const whole = leader.entries(1, leader.lastIndex)
      for (const node of nodes) {
        assert.deepStrictEqual(node.raft.snapshot().damaged, [], `run ${run} ${node.id}`)
        assert.deepStrictEqual(node.raft.entries(1, node.raft.lastIndex), whole, `run ${run} ${node.id}`)
      }
    }
    assert.isAbove(mended, 200)
  })

  it("without a leader damaged nodes mend each other, and only with what stood there", () => {
    let mended = 0
    let open = 0
    for (let run = 0; run < 150; run++) {
      const roll = dice(run + 5000)
      const logs = history(roll)
      const originals = new Map(["a", "b", "c"].map((id, i) => [id, logs[i] as ReadonlyArray<Entry>]))
      const nodes: ReadonlyArray<Node> = ["a", "b", "c"].map((id) => {
        const original = originals.get(id) as ReadonlyArray<Entry>
        const ranges = randomHoles(roll, original.length)
        const all = ranges.length > 0 ? ranges : [{ from: 2, to: 2 }].filter(() => original.length > 1)
        return { id, raft: new Raft({ id, seed: run, limits }, without(original, all)) }
      })
      const before = nodes.reduce((sum, { raft }) => sum + raft.snapshot().damaged.length, 0)
      for (let now = 10; now < 60; now += 10) {
        for (const { raft } of nodes) raft.step({ _tag: "Tick", now })
        if (nodes.some(({ raft }) => raft.role !== "follower")) break
        pump(nodes, roll, 0, () => {})
      }
      for (const { id, raft } of nodes) {
        for (const entry of raft.entries(1, raft.lastIndex)) {
          if (entry.kind === "damaged") continue
          assert.deepStrictEqual(entry, originals.get(id)?.[entry.index - 1], `run ${run}: ${id} entry ${entry.index}`)
        }
      }
      const after = nodes.reduce((sum, { raft }) => sum + raft.snapshot().damaged.length, 0)
      mended += before - after
      open += after
    }
    assert.isAbove(mended, 100, `${open} stayed open`)
  })
})
