/**
 * Configurations: normal form, joint steps (thesis 4.3), bytes in the log, and the history that a truncation needs.
 * Pure.
 */
import { invariant } from "./invariant.ts"
import type { Configuration, ConfigurationAt, Index, NodeId } from "./Types.ts"

export const emptyConfiguration: Configuration = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  addresses: {}
}

const sorted = (ids: Iterable<NodeId>): ReadonlyArray<NodeId> => [...new Set(ids)].sort()

/** Sorted, without repetition; learners that vote somewhere are dropped from `learners`; addresses of members only. */
export const normalConfiguration = (configuration: {
  readonly voters: ReadonlyArray<NodeId>
  readonly outgoing?: ReadonlyArray<NodeId>
  readonly learners?: ReadonlyArray<NodeId>
  readonly learnersNext?: ReadonlyArray<NodeId>
  readonly addresses?: Configuration["addresses"]
}): Configuration => {
  const given = { ...emptyConfiguration, ...configuration }
  const voters = sorted(given.voters)
  const outgoing = sorted(given.outgoing)
  const learners = sorted(given.learners).filter((id) => !voters.includes(id) && !outgoing.includes(id))
  const learnersNext = sorted(given.learnersNext).filter((id) => !voters.includes(id))
  const addresses: Record<NodeId, string> = {}
  for (const id of sorted([...voters, ...outgoing, ...learners])) {
    const address = given.addresses[id]
    if (address !== undefined) addresses[id] = address
  }
  return { voters, outgoing, learners, learnersNext, addresses }
}

export const isJoint = (configuration: Configuration): boolean => configuration.outgoing.length > 0

/** The lists that must each give a majority. */
export const halvesOf = (configuration: Configuration): ReadonlyArray<ReadonlyArray<NodeId>> =>
  isJoint(configuration) ? [configuration.voters, configuration.outgoing] : [configuration.voters]

export const isVoter = (configuration: Configuration, id: NodeId): boolean =>
  configuration.voters.includes(id) || configuration.outgoing.includes(id)

/** All members, sorted. */
export const membersOf = (configuration: Configuration): ReadonlyArray<NodeId> =>
  sorted([...configuration.voters, ...configuration.outgoing, ...configuration.learners])

/** The joint configuration between `from` and the target sets. */
export const enterJoint = (
  from: Configuration,
  target: {
    readonly voters: ReadonlyArray<NodeId>
    readonly learners: ReadonlyArray<NodeId>
    readonly addresses: Configuration["addresses"]
  }
): Configuration => {
  invariant(!isJoint(from), "a joint configuration is left before another is entered", () => from.outgoing.join())
  const voting = new Set([...target.voters, ...from.voters])
  return normalConfiguration({
    voters: target.voters,
    outgoing: from.voters,
    learners: target.learners.filter((id) => !voting.has(id)),
    learnersNext: target.learners.filter((id) => from.voters.includes(id)),
    addresses: { ...from.addresses, ...target.addresses }
  })
}

/** The new configuration alone. */
export const leaveJoint = (joint: Configuration): Configuration => {
  invariant(isJoint(joint), "only a joint configuration is left", () => joint.voters.join())
  return normalConfiguration({
    voters: joint.voters,
    learners: [...joint.learners, ...joint.learnersNext],
    addresses: joint.addresses
  })
}

/** Bytes of a configuration entry: JSON in UTF-8, keys in a fixed order, so equal configurations have equal bytes. */
export const encodeConfiguration = (configuration: Configuration): Uint8Array => {
  const { addresses, learners, learnersNext, outgoing, voters } = normalConfiguration(configuration)
  return new TextEncoder().encode(JSON.stringify({ voters, outgoing, learners, learnersNext, addresses }))
}

export const decodeConfiguration = (bytes: Uint8Array): Configuration =>
  normalConfiguration(JSON.parse(new TextDecoder().decode(bytes)) as Configuration)

/** Bytes of a number in an entry: 8 bytes, big endian. */
export const encodeNumber = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}

export const decodeNumber = (bytes: Uint8Array): number => {
  invariant(bytes.length === 8, "a number in an entry has 8 bytes", () => `${bytes.length}`)
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0))
}

/**
 * The configurations of the log, oldest first. The last one is in force from its append; truncation brings the one before
 * it back (RAFT.md, mend 8), and a snapshot wants the one at its index, so the history reaches down to the last snapshot.
 */
export class Configurations {
  private history: Array<ConfigurationAt>

  constructor(first: ConfigurationAt) {
    this.history = [first]
  }

  get inForce(): ConfigurationAt {
    return this.history[this.history.length - 1] as ConfigurationAt
  }

  get all(): ReadonlyArray<ConfigurationAt> {
    return this.history
  }

  append(index: Index, configuration: Configuration): void {
    this.history.push({ index, configuration })
  }

  /** A repaired entry in the middle of the log. */
  insert(index: Index, configuration: Configuration): void {
    this.history = this.history.filter((one) => one.index !== index)
    this.history.push({ index, configuration })
    this.history.sort((a, b) => a.index - b.index)
  }

  /** True if the configuration in force has changed. */
  truncateFrom(index: Index): boolean {
    const before = this.history.length
    while (this.history.length > 1 && this.inForce.index >= index) this.history.pop()
    return this.history.length !== before
  }

  /** The configuration in force at `index`. */
  at(index: Index): ConfigurationAt {
    for (let i = this.history.length - 1; i > 0; i--) {
      const one = this.history[i] as ConfigurationAt
      if (one.index <= index) return one
    }
    return this.history[0] as ConfigurationAt
  }

  /** Forgets what no truncation or snapshot above `index` can need. */
  compactTo(index: Index): void {
    const keep = this.at(index)
    this.history = this.history.filter((one) => one === keep || one.index > index)
  }

  /** Begins with the configuration of an installed snapshot; `keep`: later ones of the log stay. */
  install(first: ConfigurationAt, snapshotIndex: Index, keep: boolean): void {
    this.history = [first, ...(keep ? this.history.filter((one) => one.index > snapshotIndex) : [])]
  }
}
