/**
 * All that one run is made of, drawn from its seed (swarm testing, Groce et al. 2012): sizes, speeds, limits, workload and
 * faults. Each kind of fault is switched off altogether in some runs and wild in others, and limits are drawn from
 * tiny to usual, so that rare states (a window of one message, a snapshot after three entries) become common.
 */
import type { Limits } from "../../src/core/Types.ts"
import type { DiskOptions } from "./SimDisk.ts"
import type { NetworkOptions } from "./Network.ts"
import { SeededRandom } from "./Random.ts"

/** Mean number of faults of a kind in ten seconds of simulated time; 0 switches the kind off. */
export interface FaultRates {
  readonly partition: number
  readonly flap: number
  readonly slowLink: number
  readonly clog: number
  readonly crash: number
  readonly pause: number
  readonly clock: number
  readonly diskSlow: number
  readonly diskHang: number
  readonly diskFail: number
  readonly damage: number
  readonly diskLost: number
  readonly diskRolledBack: number
  readonly membership: number
  readonly transfer: number
  readonly version: number
  readonly compact: number
  readonly campaign: number
  readonly stop: number
}

export interface ClientOptions {
  readonly count: number
  /** Requests that one client has open at once. */
  readonly outstanding: number
  readonly thinkMicros: number
  readonly timeoutMicros: number
  readonly keys: number
  /** Probability that a request is a read outside of the log. */
  readonly reads: number
  /** Probability that such a read goes by lease. */
  readonly leaseReads: number
  readonly paddingMax: number
  /** Probability that a reply is lost on its way to the client. */
  readonly replyLoss: number
  /** Probability that a session is closed after a request, or expired by an operator. */
  readonly sessionEnds: number
}

export interface SimOptions {
  readonly seed: number
  /** Voters at the start. */
  readonly nodes: number
  /** Further machines that can join. */
  readonly spares: number
  /** Length of the phase with faults, in microseconds. */
  readonly safetyMicros: number
  readonly tickMicros: number
  /** Longest delay between an arrival and the turn that takes it. */
  readonly turnMicros: number
  readonly limits: Partial<Limits>
  /** Bound on clock drift that the nodes assume; `undefined` for no leases. */
  readonly leaseDriftBound: number | undefined
  /** Real drift: rates lie in [1 - d, 1 + d] and never break the assumed bound. */
  readonly drift: number
  readonly network: NetworkOptions
  readonly disk: DiskOptions
  readonly faults: FaultRates
  /** Probability that a fault is aimed at a place where it hurts (a new leader, a joint configuration, a snapshot). */
  readonly aim: number
  readonly clients: ClientOptions
  /** Highest code version that the nodes' programs have at the end. */
  readonly versionMax: number
  /** Messages travel, and entries are stored, as bytes by the codecs, instead of as objects. */
  readonly codec: boolean
  /** Entries and snapshots of any minority of the disks may be unreadable at once; else those of one disk. */
  readonly minorityDamaged: boolean
  /** With `codec`: probability that a frame is spoiled on its way. */
  readonly spoilt: number
}

/** Options that a caller fixes instead of drawing them: sizes by value, faults by kind. */
export interface Overrides {
  readonly nodes?: number
  readonly spares?: number
  readonly safetyMicros?: number
  readonly aim?: number
  /** Given rates replace the drawn ones; the other kinds are as drawn, or off with `onlyThese`. */
  readonly faults?: Partial<FaultRates>
  readonly onlyThese?: boolean
  readonly limits?: Partial<Limits>
  readonly network?: Partial<NetworkOptions>
  readonly clients?: Partial<ClientOptions>
  readonly leases?: boolean
  readonly codec?: boolean
  readonly minorityDamaged?: boolean
}

const noFaults: FaultRates = {
  partition: 0,
  flap: 0,
  slowLink: 0,
  clog: 0,
  crash: 0,
  pause: 0,
  clock: 0,
  diskSlow: 0,
  diskHang: 0,
  diskFail: 0,
  damage: 0,
  diskLost: 0,
  diskRolledBack: 0,
  membership: 0,
  transfer: 0,
  version: 0,
  compact: 0,
  campaign: 0,
  stop: 0
}

/** Usual rate of each kind, and the probability that a run has it at all. */
const faultPlans: { readonly [K in keyof FaultRates]: readonly [rate: number, presence: number] } = {
  partition: [5, 0.75],
  flap: [1, 0.3],
  slowLink: [3, 0.4],
  clog: [3, 0.4],
  crash: [5, 0.75],
  pause: [3, 0.5],
  clock: [3, 0.5],
  diskSlow: [3, 0.4],
  diskHang: [1.5, 0.4],
  diskFail: [1, 0.35],
  damage: [1.5, 0.4],
  diskLost: [0.7, 0.3],
  diskRolledBack: [0.7, 0.25],
  membership: [5, 0.6],
  transfer: [3, 0.5],
  version: [0.7, 0.3],
  compact: [2, 0.3],
  campaign: [1, 0.25],
  stop: [1, 0.3]
}

const drawFaults = (random: SeededRandom): FaultRates => {
  const rates: Record<keyof FaultRates, number> = { ...noFaults }
  // A quarter of the runs have a theme: a few kinds of fault, all of them wild, and nothing else to hide them.
  if (random.chance(0.25)) {
    for (let i = 0; i < 3; i++) {
      const kind = random.pick(Object.keys(faultPlans) as Array<keyof FaultRates>)
      rates[kind] = Math.min(20, faultPlans[kind][0] * 8)
    }
    return rates
  }
  for (const kind of Object.keys(faultPlans) as Array<keyof FaultRates>) {
    const [rate, presence] = faultPlans[kind]
    // A quiet, a usual and a wild form of each.
    if (random.chance(presence)) rates[kind] = rate * random.pick([0.3, 1, 1, 3])
  }
  return rates
}

const drawLimits = (random: SeededRandom): Partial<Limits> => {
  const electionTicks = random.between(5, 15)
  return {
    heartbeatTicks: random.between(1, 2),
    electionTicks,
    transferTicks: random.between(5, 20),
    requestTicks: random.between(20, 60),
    diskHangTicks: random.between(8, 30),
    snapshotRetryTicks: random.between(3, 10),
    appendBytesMax: random.pick([1, 64, 1024, 65_536]),
    appendEntriesMax: random.pick([1, 2, 16, 4096]),
    windowMessages: random.pick([1, 2, 8, 64]),
    windowBytes: random.pick([1, 200, 4096, 1 << 20]),
    entryBytesMax: random.pick([16, 32, 100, 65_536]),
    commandBytesMax: random.pick([120, 1 << 20]),
    uncommittedBytesMax: random.pick([150, 1000, 1 << 20]),
    uncommittedEntriesMax: random.pick([4, 64, 4096]),
    requestsMax: random.pick([8, 1024]),
    readsMax: random.pick([2, 1024]),
    applyEntriesMax: random.pick([1, 3, 4096]),
    applyBytesMax: random.pick([1, 100, 1 << 20]),
    snapshotEntries: random.pick([3, 10, 50, 1000]),
    snapshotBytes: random.pick([100, 2000, 1 << 20]),
    keepEntries: random.pick([0, 1, 10, 1000]),
    keepBytes: random.pick([0, 200, 1 << 20]),
    snapshotPieceBytes: random.pick([8, 64, 4096]),
    membersMax: random.pick([64, 64, 7]),
    catchUpEntriesMax: random.pick([1, 20, 1000]),
    sessionsMax: random.pick([2, 16, 1000]),
    sessionResultsMax: random.pick([1, 4, 1024])
  }
}

const drawClients = (random: SeededRandom): ClientOptions => ({
  count: random.between(1, 4),
  outstanding: random.pick([1, 1, 2, 6]),
  thinkMicros: random.pick([20_000, 100_000, 400_000]),
  timeoutMicros: random.pick([300_000, 1_000_000, 3_000_000]),
  keys: random.between(1, 4),
  reads: random.pick([0.1, 0.3, 0.6]),
  leaseReads: random.pick([0, 0.5, 1]),
  paddingMax: random.pick([0, 0, 20, 150]),
  replyLoss: random.pick([0, 0.02, 0.1]),
  sessionEnds: random.pick([0, 0, 0.02])
})

const drawNetwork = (random: SeededRandom): NetworkOptions => {
  const delayMinMicros = random.pick([100, 1000, 5000])
  return {
    delayMinMicros,
    delayMaxMicros: delayMinMicros * random.pick([1, 2, 10]),
    loss: random.pick([0, 0, 0.01, 0.05, 0.2]),
    doubling: random.pick([0, 0, 0.01, 0.1]),
    reordering: random.pick([0, 0, 0.1, 0.5]),
    stragglers: random.pick([0, 0, 0.005, 0.03]),
    stragglerMaxMicros: random.pick([300_000, 3_000_000])
  }
}

const drawDisk = (random: SeededRandom): DiskOptions => {
  const syncMinMicros = random.pick([0, 100, 1000])
  return {
    syncMinMicros,
    syncMaxMicros: syncMinMicros + random.pick([0, 500, 5000, 20_000]),
    bytesPerMicro: random.pick([1, 100]),
    piecesLost: random.pick([0, 0, 0.02])
  }
}

/** The options of a seed. Pure: the same seed and overrides give the same options. */
export const drawOptions = (seed: number, overrides: Overrides = {}): SimOptions => {
  const random = new SeededRandom(seed, "options")
  const leases = random.chance(0.5)
  const assumed = random.pick([0.02, 0.1, 0.25])
  const drawn = drawFaults(random)
  const withLeases = overrides.leases ?? leases
  const options = {
    seed,
    nodes: pick(overrides.nodes, random.pick([3, 3, 4, 5, 5, 7])),
    spares: pick(overrides.spares, random.between(0, 2)),
    safetyMicros: pick(overrides.safetyMicros, random.between(12, 30) * 1_000_000),
    tickMicros: random.pick([20_000, 50_000, 100_000]),
    turnMicros: random.pick([0, 200, 2000]),
    limits: { ...drawLimits(random), ...overrides.limits },
    leaseDriftBound: withLeases ? assumed : undefined,
    // The ratio of a fast and a slow clock, (1 + d) / (1 - d), stays below 1 + assumed.
    drift: withLeases ? (assumed / (2 + assumed)) * 0.99 : random.pick([0, 0.05, 0.2]),
    network: { ...drawNetwork(random), ...overrides.network },
    disk: drawDisk(random),
    faults: { ...(overrides.onlyThese === true ? noFaults : drawn), ...overrides.faults },
    aim: pick(overrides.aim, random.pick([0, 0.2, 0.5])),
    clients: { ...drawClients(random), ...overrides.clients },
    versionMax: random.between(0, 3),
    codec: pick(overrides.codec, random.chance(0.25)),
    spoilt: random.pick([0, 0.005])
  }
  const { faults } = options
  // A changing set of members, disks that are lost and disks that go back each count against the same minority.
  const staysWhole = faults.membership === 0 && faults.diskLost === 0 && faults.diskRolledBack === 0
  return { ...options, minorityDamaged: staysWhole && pick(overrides.minorityDamaged, random.chance(0.5)) }
}

const pick = <A>(given: A | undefined, drawn: A): A => given ?? drawn
