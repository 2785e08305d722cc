/** The order of the processes of one file, on a board in memory and a clock of its own. */
import { assert, describe, it } from "@effect/vitest"
import { Prng } from "@weft/domain/testing/Prng"
import {
  aheadMillis,
  forgottenTenures,
  patienceMillis,
  places,
  Tenure,
  tenureMaxMillis,
  tenureMillis,
  type Board
} from "../src/internal/file/Tenure.ts"

/** Time that one commit takes, and what a process needs to wake, in milliseconds. */
const commitMillis = 0.5
const wakeMillis = 0.1

class Simulation {
  now = 0
  readonly shared = new Uint32Array(2 * places)
  readonly processes: Array<Process> = []
  handOvers = 0
  stores = 0
  private readonly board: Board = {
    load: (words) => words.set(this.shared),
    store: (words, place) => {
      this.stores++
      this.shared.set(words.subarray(2 * place, 2 * place + 2), 2 * place)
    },
    handOver: () => {
      this.handOvers++
      for (const process of this.processes) process.wake(this.now + wakeMillis)
    }
  }

  add(): Process {
    const process = new Process(new Tenure(this.board, 1000 + this.processes.length))
    this.processes.push(process)
    return process
  }

  /** Runs whoever is next until `millis` have gone by; `isMet` as the writer would say in company. */
  run(millis: number, isMet = true): void {
    const until = this.now + millis
    for (;;) {
      const next = this.processes.reduce((first, one) => (one.nextAt < first.nextAt ? one : first))
      if (next.nextAt >= until) break
      this.now = next.nextAt
      const wait = next.tenure.wait(this.now, isMet)
      // As timers do, at the earliest after a millisecond.
      if (wait > 0) next.nextAt = this.now + Math.ceil(wait)
      else {
        next.nextAt = this.now + commitMillis
        next.tenure.had(next.nextAt, next.commits % next.lostEvery !== 0)
        next.committed.push(this.now)
      }
    }
    this.now = until
  }
}

class Process {
  readonly tenure: Tenure
  nextAt = 0
  readonly committed: Array<number> = []
  lostEvery = Infinity
  private isAlive = true

  constructor(tenure: Tenure) {
    this.tenure = tenure
  }

  get commits(): number {
    return this.committed.length
  }

  /** Longest time between two of its commits from `from` on. */
  longestPause(from: number): number {
    const times = this.committed.filter((at) => at >= from)
    return times.slice(1).reduce((longest, at, i) => Math.max(longest, at - times[i]!), 0)
  }

  wake(at: number): void {
    if (this.isAlive) this.nextAt = Math.min(this.nextAt, at)
  }

  kill(): void {
    this.isAlive = false
    this.nextAt = Infinity
  }
}

const withProcesses = (count: number): Simulation => {
  const simulation = new Simulation()
  for (let i = 0; i < count; i++) simulation.add()
  return simulation
}

describe("turns of processes", () => {
  it("a process alone never waits and writes nothing on the board", () => {
    const simulation = withProcesses(1)
    simulation.run(1000, false)
    assert.strictEqual(simulation.processes[0]!.commits, 1000 / commitMillis)
    assert.strictEqual(simulation.stores, 0)
  })

  for (const count of [2, 4, 40]) {
    it(`${count} processes that always write get the same, many commits in a row, one after the other`, () => {
      const simulation = withProcesses(count)
      simulation.run(count * 1000)
      const each = simulation.processes.map(({ commits }) => commits)
      assert.isAbove(Math.min(...each) / Math.max(...each), 0.9, each.join(" "))
      const inARow = each.reduce((sum, one) => sum + one) / simulation.handOvers
      assert.isAbove(inARow, (0.8 * tenureMillis) / commitMillis)
      for (const one of simulation.processes) {
        assert.isBelow(one.longestPause(count * 100), count * (tenureMillis + 2 * commitMillis))
      }
    })
  }

  it("who comes while another writes alone goes within a tenure", () => {
    const simulation = withProcesses(1)
    simulation.run(100, false)
    const late = simulation.add()
    late.nextAt = simulation.now
    late.tenure.refused()
    simulation.run(tenureMillis)
    assert.isAbove(late.commits, 0)
  })

  it("a turn is kept until a few commits were written, but not for ever", () => {
    const simulation = withProcesses(2)
    simulation.run(100)
    for (const one of simulation.processes) one.lostEvery = 1
    simulation.run(1000)
    for (const one of simulation.processes) {
      assert.isAbove(one.commits, 0.8 * (500 / commitMillis))
      assert.isBelow(one.longestPause(200), tenureMaxMillis + 4 * commitMillis)
      assert.isAbove(one.longestPause(200), tenureMillis + 4 * commitMillis)
    }
  })

  it("who has nothing to write gives its turn back at once", () => {
    const simulation = withProcesses(3)
    simulation.run(100)
    const [holder] = simulation.processes.filter(({ tenure }) => tenure.holds)
    const before = simulation.processes.map(({ commits }) => commits)
    holder!.kill()
    holder!.tenure.idle()
    assert.isFalse(holder!.tenure.holds)
    simulation.run(tenureMillis / 2)
    const after = simulation.processes.map(({ commits }) => commits)
    assert.isAbove(after.reduce((sum, one) => sum + one) - before.reduce((sum, one) => sum + one), 2)
  })

  it("a process that dies with the turn, or while it waits, is passed by and forgotten", () => {
    const simulation = withProcesses(4)
    simulation.run(100)
    const holder = simulation.processes.find(({ tenure }) => tenure.holds)!
    const waiter = simulation.processes.find((one) => one !== holder)!
    holder.kill()
    waiter.kill()
    const diedAt = simulation.now
    const left = simulation.processes.filter((one) => one !== holder && one !== waiter)
    simulation.run(2 * (forgottenTenures + 2) * (tenureMillis + 4))
    for (const one of left) assert.isBelow(one.longestPause(diedAt - 50), patienceMillis + 3 * tenureMillis)
    const calmAt = simulation.now
    simulation.run(1000)
    const commits = left.reduce((sum, one) => sum + one.committed.filter((at) => at >= calmAt).length, 0)
    assert.isAbove(commits, 0.9 * (1000 / commitMillis))
  })

  it("a board that says anything at all holds nobody up for longer than all that could stand on it (seeds 1 to 50)", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const prng = new Prng(seed)
      const simulation = withProcesses(3)
      simulation.run(50)
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < simulation.shared.length; i++) {
          if (prng.below(2) === 0) simulation.shared[i] = prng.below(2) === 0 ? prng.below(2 ** 32) : prng.below(20)
        }
        const before = simulation.processes.map(({ commits }) => commits)
        simulation.run(patienceMillis + 3 * (places * aheadMillis + tenureMaxMillis))
        simulation.processes.forEach(({ commits }, i) => assert.isAbove(commits, before[i]!, `seed ${seed}`))
      }
    }
  })
})
