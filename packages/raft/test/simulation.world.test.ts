/** The simulated world itself: agenda, randomness, network, disks, machine, options, and that runs differ by seed alone. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { DurableMirror, SimDisk } from "../testing/sim/SimDisk.ts"
import { encodeCommand, decodeAnswer, Machine } from "../testing/sim/Machine.ts"
import { Kernel } from "../testing/sim/Kernel.ts"
import { Network, type NetworkOptions } from "../testing/sim/Network.ts"
import { drawOptions } from "../testing/sim/Options.ts"
import { bridge, isolate, oneWay, ring, split } from "../testing/sim/Partitions.ts"
import { SeededRandom } from "../testing/sim/Random.ts"
import { simulate } from "../testing/sim/Simulation.ts"
import { Tally } from "../testing/sim/Tally.ts"

const perfect: NetworkOptions = {
  delayMinMicros: 10,
  delayMaxMicros: 20,
  loss: 0,
  doubling: 0,
  reordering: 0,
  stragglers: 0,
  stragglerMaxMicros: 0
}

describe("agenda", () => {
  it("runs callbacks by time, and those of one time in the order of their scheduling", () => {
    const kernel = new Kernel()
    const random = new SeededRandom(7)
    const ran: Array<readonly [time: number, order: number]> = []
    for (let order = 0; order < 500; order++) {
      const time = random.below(50)
      kernel.at(time, () => ran.push([time, order]))
    }
    kernel.run(1000)
    const sorted = ran.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
    assert.strictEqual(ran.length, 500)
    assert.deepStrictEqual(ran, sorted)
    assert.strictEqual(kernel.now, 1000)
  })

  it("takes callbacks that callbacks schedule, and refuses the past", () => {
    const kernel = new Kernel()
    const ran: Array<number> = []
    kernel.after(5, () => {
      ran.push(kernel.now)
      kernel.after(0, () => ran.push(kernel.now))
      kernel.after(3, () => ran.push(kernel.now))
      assert.throws(() => kernel.at(4, () => {}), /past/)
    })
    kernel.run(100)
    assert.deepStrictEqual(ran, [5, 5, 8])
  })
})

describe("randomness", () => {
  it("is a function of seed and name", () => {
    const draw = (seed: number, name: string): ReadonlyArray<number> => {
      const random = new SeededRandom(seed, name)
      return Array.from({ length: 8 }, () => random.next())
    }
    assert.deepStrictEqual(draw(1, "a"), draw(1, "a"))
    assert.notDeepEqual(draw(1, "a"), draw(1, "b"))
    assert.notDeepEqual(draw(1, "a"), draw(2, "a"))
  })

  it("keeps its bounds, and probabilities roughly", () => {
    const random = new SeededRandom(11)
    let hits = 0
    for (let i = 0; i < 20_000; i++) {
      const number = random.between(3, 6)
      assert.isTrue(number >= 3 && number <= 6)
      if (random.chance(0.25)) hits++
    }
    assert.isTrue(Math.abs(hits / 20_000 - 0.25) < 0.02, `${hits}`)
    assert.isFalse(random.chance(0))
  })
})

const makeNetwork = (options: NetworkOptions, seed = 3) => {
  const kernel = new Kernel()
  const tally = new Tally()
  const arrived: Array<number> = []
  const network = new Network<number>(kernel, new SeededRandom(seed), tally, 5, options, (_to, _from, message) =>
    arrived.push(message)
  )
  return { arrived, kernel, network, tally }
}

describe("network", () => {
  it("delivers everything once and in order when nothing is wrong", () => {
    const { arrived, kernel, network } = makeNetwork(perfect)
    for (let i = 0; i < 200; i++) network.send(0, 1, i)
    kernel.run(1e6)
    assert.deepStrictEqual(
      arrived,
      Array.from({ length: 200 }, (_, i) => i)
    )
  })

  it("loses, doubles and reorders as it is told, and counts it", () => {
    const { arrived, kernel, network, tally } = makeNetwork({ ...perfect, loss: 0.2, doubling: 0.2, reordering: 0.5 })
    for (let i = 0; i < 1000; i++) {
      network.send(0, 1, i)
      kernel.run(kernel.now + 2)
    }
    kernel.run(1e6)
    assert.strictEqual(arrived.length, 1000 - tally.get("messageLost") + tally.get("messageDoubled"))
    assert.isTrue(
      tally.get("messageLost") > 100 && tally.get("messageDoubled") > 100 && tally.get("messageReordered") > 50
    )
    assert.notDeepEqual(
      arrived,
      arrived.toSorted((a, b) => a - b)
    )
  })

  it("holds blocked, clogged and slow directions back, and heals", () => {
    const { arrived, kernel, network } = makeNetwork(perfect)
    network.block(0, 1)
    network.block(0, 1)
    network.unblock(0, 1)
    network.send(0, 1, 1)
    network.send(1, 0, 2)
    network.clog(2, 3, 5000)
    network.send(2, 3, 3)
    kernel.run(1000)
    assert.deepStrictEqual(arrived, [2])
    kernel.run(6000)
    assert.deepStrictEqual(arrived, [2, 3])
    network.heal()
    network.send(0, 1, 4)
    kernel.run(10_000)
    assert.deepStrictEqual(arrived, [2, 3, 4])
  })
})

describe("partitions", () => {
  const places = [0, 1, 2, 3, 4]
  const reach = (impose: (network: Network<number>, random: SeededRandom) => void): ReadonlyArray<number> => {
    const { network } = makeNetwork(perfect)
    impose(network, new SeededRandom(5))
    return places.map((from) => places.filter((to) => from !== to && !network.isBlocked(from, to)).length)
  }

  it("isolate one, split in two, ring, bridge and one way have their shapes", () => {
    assert.deepStrictEqual(
      reach((network) => isolate(network, places, 2)),
      [3, 3, 0, 3, 3]
    )
    const halves = reach((network, random) => split(network, places, random))
    assert.isTrue(halves.every((count) => count < 4))
    assert.deepStrictEqual(
      reach((network, random) => ring(network, places, random)),
      [2, 2, 2, 2, 2]
    )
    assert.deepStrictEqual(reach((network, random) => bridge(network, places, random)).toSorted(), [2, 2, 2, 2, 4])
    const lame = reach((network, random) => oneWay(network, places, random, 1))
    assert.isTrue(lame.some((count) => count < 4))
  })

  it("heal as a whole, one by one where they overlap", () => {
    const { network } = makeNetwork(perfect)
    const first = isolate(network, places, 0)
    const second = isolate(network, places, 0)
    first.heal()
    assert.isTrue(network.isBlocked(0, 1))
    second.heal()
    assert.isFalse(network.isBlocked(0, 1))
  })
})

describe("disk", () => {
  const persist = (
    disk: SimDisk,
    kernel: Kernel
  ): { readonly done: Array<number>; readonly write: (n: number) => void } => {
    const done: Array<number> = []
    const storage = disk.open()
    const write = (n: number): void => {
      const entry = {
        index: n,
        term: 1,
        kind: "noop",
        session: 0,
        sequence: 0,
        resolved: 0,
        data: new Uint8Array(0)
      } as const
      const hardState = { term: 1, vote: "a", commit: 0, recoverTo: 0 }
      storage.persist([{ write: n, hardState, truncateFrom: 0, entries: [entry], compactTo: 0 }], (result) => {
        if (Result.isSuccess(result)) done.push(n)
      })
    }
    kernel.run(kernel.now)
    return { done, write }
  }
  const make = () => {
    const kernel = new Kernel()
    const tally = new Tally()
    const options = { syncMinMicros: 100, syncMaxMicros: 100, bytesPerMicro: 100, piecesLost: 0 }
    return { kernel, tally, disk: new SimDisk("d", kernel, new SeededRandom(1), tally, options) }
  }

  it("writes what waits meanwhile with the next sync", () => {
    const { disk, kernel } = make()
    const { done, write } = persist(disk, kernel)
    write(1)
    kernel.run(50)
    write(2)
    write(3)
    kernel.run(100)
    assert.deepStrictEqual(done, [1])
    assert.isTrue(disk.mirror.holds(1, 1) && !disk.mirror.holds(2, 1))
    kernel.run(200)
    assert.deepStrictEqual(done, [1, 2, 3])
  })

  it("a crash keeps what was synced, and a prefix of the rest", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const kernel = new Kernel()
      const options = { syncMinMicros: 100, syncMaxMicros: 100, bytesPerMicro: 100, piecesLost: 0 }
      const disk = new SimDisk("d", kernel, new SeededRandom(seed), new Tally(), options)
      const { done, write } = persist(disk, kernel)
      write(1)
      kernel.run(150)
      for (let n = 2; n <= 5; n++) write(n)
      disk.crash()
      kernel.run(10_000)
      assert.deepStrictEqual(done, [1], "nothing is reported after the crash")
      const { entries } = disk.open().restored
      assert.isTrue(entries.length >= 1)
      entries.forEach((entry, i) => assert.strictEqual(entry.index, i + 1))
    }
  })

  it("hangs until its time, or until it is healed", () => {
    const { disk, kernel, tally } = make()
    const { done, write } = persist(disk, kernel)
    disk.hang(5000)
    write(1)
    kernel.run(4000)
    assert.deepStrictEqual(done, [])
    disk.heal()
    kernel.run(4001)
    assert.deepStrictEqual(done, [1])
    assert.strictEqual(tally.get("diskHung"), 1)
  })

  it("puts an old image back, and an empty disk in its place", () => {
    const { disk, kernel } = make()
    const { write } = persist(disk, kernel)
    write(1)
    kernel.run(1000)
    disk.keepBackup()
    write(2)
    kernel.run(2000)
    disk.crash()
    assert.isTrue(disk.rollBack())
    assert.strictEqual(disk.open().restored.entries.length, 1)
    disk.crash()
    disk.wipe()
    assert.strictEqual(disk.open().restored.entries.length, 0)
    assert.isFalse(disk.rollBack())
  })

  it("the mirror forgets what was truncated and keeps what a snapshot covers", () => {
    const mirror = new DurableMirror()
    const entry = (index: number, term: number) =>
      ({ index, term, kind: "noop", session: 0, sequence: 0, resolved: 0, data: new Uint8Array(0) }) as const
    mirror.take({
      write: 1,
      hardState: undefined,
      truncateFrom: 0,
      entries: [entry(1, 1), entry(2, 1), entry(3, 1)],
      compactTo: 0
    })
    mirror.take({ write: 2, hardState: undefined, truncateFrom: 2, entries: [entry(2, 2)], compactTo: 0 })
    assert.isTrue(mirror.holds(1, 1) && mirror.holds(2, 2))
    assert.isFalse(mirror.holds(2, 1) || mirror.holds(3, 1))
    mirror.takeSnapshot(9, false)
    assert.isTrue(mirror.holds(9, 5) && !mirror.holds(10, 2))
  })
})

describe("machine", () => {
  it("a snapshot restores an equal machine, chain included", () => {
    const random = new SeededRandom(21)
    const [a, b] = [new Machine(), new Machine()]
    const ops = ["write", "cas", "offer", "poll", "add", "remove", "acquire", "release", "bump"] as const
    const context = { index: 1, term: 1, version: 0 }
    const step = (machine: Machine, bytes: Uint8Array): string =>
      JSON.stringify(decodeAnswer(machine.apply(bytes, context, () => {})))
    for (let i = 1; i <= 400; i++) {
      const command = {
        op: random.pick(ops),
        key: random.below(5),
        value: random.below(7),
        expected: random.below(7),
        id: i
      }
      step(a, encodeCommand(command, random.below(9)))
    }
    b.restore(a.snapshot())
    assert.deepStrictEqual(b.snapshot(), a.snapshot())
    for (let i = 1; i <= 100; i++) {
      const bytes = encodeCommand(
        { op: random.pick(ops), key: random.below(5), value: random.below(7), expected: 0, id: i },
        3
      )
      assert.strictEqual(step(a, bytes), step(b, bytes))
    }
    assert.strictEqual(a.chain, b.chain)
  })

  it("a command that fails leaves everything as it was", () => {
    const machine = new Machine()
    const before = machine.snapshot()
    const bytes = encodeCommand({ op: "explode", key: 0, value: 0, expected: 0, id: 9 }, 0)
    assert.throws(() => machine.apply(bytes, { index: 1, term: 1, version: 0 }, () => {}), /by design/)
    assert.deepStrictEqual(machine.snapshot(), before)
  })
})

describe("runs", () => {
  it("options are a function of the seed, and seeds differ", () => {
    assert.deepStrictEqual(drawOptions(5), drawOptions(5))
    const nodes = new Set(Array.from({ length: 60 }, (_, seed) => drawOptions(seed).nodes))
    assert.deepStrictEqual([...nodes].toSorted(), [3, 4, 5, 7])
  })

  it("clocks never drift beyond what leases assume", () => {
    for (let seed = 0; seed < 300; seed++) {
      const { drift, leaseDriftBound } = drawOptions(seed)
      if (leaseDriftBound !== undefined) assert.isTrue((1 + drift) / (1 - drift) < 1 + leaseDriftBound, `seed ${seed}`)
    }
  })

  it("a trace changes nothing, two seeds are two runs", () => {
    const lines: Array<string> = []
    const plain = simulate(4, { nodes: 3, safetyMicros: 6_000_000 })
    const traced = simulate(4, { nodes: 3, safetyMicros: 6_000_000 }, (_micros, who, text) =>
      lines.push(`${who} ${text()}`)
    )
    assert.isUndefined(plain.failure)
    assert.deepStrictEqual([traced.digest, traced.steps], [plain.digest, plain.steps])
    assert.isTrue(lines.length > 100)
    assert.notStrictEqual(simulate(5, { nodes: 3, safetyMicros: 6_000_000 }).digest, plain.digest)
  })
})
