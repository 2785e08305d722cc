/**
 * The state machine that the simulated clusters replicate: registers, queues, sets and locks by a numeric key, small
 * enough to be checked for linearizability and to be snapshotted after every few entries.
 *
 * Pure but for its own state. It carries a chain: a 32-bit hash over every command applied since the beginning, also across
 * snapshots. Two replicas with equal chains at one index applied the same commands in the same order, so comparing one
 * number per entry checks state-machine safety, and a restored snapshot that lost or doubled a command shows at once.
 */
import type { ApplyContext } from "../../src/core/Surface.ts"
import { invariant } from "./invariant.ts"

/** What a command does. Reads are commands too when a client asks for them through the log. */
export const operations = [
  "write",
  "cas",
  "read",
  "offer",
  "poll",
  "add",
  "remove",
  "has",
  "acquire",
  "release",
  "bump",
  "explode"
] as const
export type OperationName = (typeof operations)[number]

/** A command on one key. Numbers are below 2^32. */
export interface Command {
  readonly op: OperationName
  readonly key: number
  /** Value written, offered, added, or the owner of a lock. */
  readonly value: number
  /** `cas` alone: the value that must be there. */
  readonly expected: number
  /** Number of the command in the whole run, for the check that it is executed once; 0 if it may be executed often. */
  readonly id: number
}

/** Answer of a command: `ok` false when it had no effect (cas lost, queue empty, lock held). */
export interface Answer {
  readonly ok: boolean
  readonly value: number
}

const headerBytes = 18

const putNumber = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value & 0xff
  bytes[at + 1] = (value >>> 8) & 0xff
  bytes[at + 2] = (value >>> 16) & 0xff
  bytes[at + 3] = value >>> 24
}

const getNumber = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>>
  0

/** Encodes a command, with `padding` bytes behind it so that limits in bytes are reached. */
export const encodeCommand = (command: Command, padding: number): Uint8Array => {
  const bytes = new Uint8Array(headerBytes + padding)
  bytes[0] = operations.indexOf(command.op)
  putNumber(bytes, 1, command.key)
  putNumber(bytes, 5, command.value)
  putNumber(bytes, 9, command.expected)
  putNumber(bytes, 13, command.id)
  bytes[17] = padding & 0xff
  return bytes
}

export const decodeCommand = (bytes: Uint8Array): Command => {
  const op = operations[bytes[0] as number]
  invariant(
    op !== undefined && bytes.length >= headerBytes,
    "a command arrives as it was proposed",
    () => `bytes ${bytes}`
  )
  return {
    op,
    key: getNumber(bytes, 1),
    value: getNumber(bytes, 5),
    expected: getNumber(bytes, 9),
    id: getNumber(bytes, 13)
  }
}

export const encodeAnswer = (answer: Answer): Uint8Array => {
  const bytes = new Uint8Array(5)
  bytes[0] = answer.ok ? 1 : 0
  putNumber(bytes, 1, answer.value)
  return bytes
}

export const decodeAnswer = (bytes: Uint8Array): Answer => ({ ok: bytes[0] === 1, value: getNumber(bytes, 1) })

const mix = (hash: number, value: number): number => Math.imul(hash ^ value, 0x01000193) ^ (hash >>> 15)

/** Hash of some bytes, for chains and for equality of entries. Cost O(bytes). */
export const hashBytes = (seed: number, bytes: Uint8Array): number => {
  let hash = seed | 0
  for (let i = 0; i < bytes.length; i++) hash = mix(hash, bytes[i] as number)
  return hash | 0
}

/** What users throw is now and then no error. */
const fail = (id: number): never => {
  const text = `command ${id} fails by design`
  const cause: unknown = id % 2 === 0 ? new Error(text) : text
  throw cause
}

const refused: Answer = { ok: false, value: 0 }

export class Machine {
  /** Registers and lock owners by key; 0 is "never written" and "free". */
  private registers = new Map<number, number>()
  private lists = new Map<number, Array<number>>()
  /** Hash over all commands applied so far. */
  chain = 0x811c9dc5 | 0
  /** Commands applied since the beginning, snapshots included. */
  applied = 0

  /**
   * Applies an encoded command. Deterministic: answer and next state depend on state, bytes and context alone. `explode`
   * throws and leaves the state as it was, as a faulty command of a user does.
   */
  apply(bytes: Uint8Array, context: ApplyContext, executed: (id: number) => void): Uint8Array {
    const command = decodeCommand(bytes)
    if (command.op === "explode") fail(command.id)
    if (command.id !== 0) executed(command.id)
    this.chain = hashBytes(mix(this.chain, bytes.length + context.version), bytes)
    this.applied++
    return encodeAnswer(this.execute(command))
  }

  /** The value of a key as a read sees it, without going through the log. */
  query(bytes: Uint8Array): Uint8Array {
    const command = decodeCommand(bytes)
    invariant(command.op === "read" || command.op === "has", "a query changes nothing", () => command.op)
    return encodeAnswer(this.execute(command))
  }

  private execute({ expected, key, op, value }: Command): Answer {
    const current = this.registers.get(key) ?? 0
    switch (op) {
      case "read":
        return { ok: true, value: current }
      case "write":
        this.registers.set(key, value)
        return { ok: true, value: current }
      case "bump":
        this.registers.set(key, (current + value) >>> 0)
        return { ok: true, value: (current + value) >>> 0 }
      case "cas":
        if (current !== expected) return { ok: false, value: current }
        this.registers.set(key, value)
        return { ok: true, value: current }
      case "acquire":
        if (current !== 0) return { ok: false, value: current }
        this.registers.set(key, value)
        return { ok: true, value }
      case "release":
        if (current !== value) return { ok: false, value: current }
        this.registers.set(key, 0)
        return { ok: true, value }
      case "explode":
        return refused
      default:
        return this.executeOnList(op, key, value)
    }
  }

  private executeOnList(op: "offer" | "poll" | "add" | "remove" | "has", key: number, value: number): Answer {
    let list = this.lists.get(key)
    if (op === "has") return { ok: list !== undefined && list.includes(value), value }
    if (list === undefined) this.lists.set(key, (list = []))
    switch (op) {
      case "offer":
        list.push(value)
        return { ok: true, value }
      case "poll": {
        const first = list.shift()
        return first === undefined ? refused : { ok: true, value: first }
      }
      case "add":
        if (list.includes(value)) return { ok: false, value }
        list.push(value)
        return { ok: true, value }
      case "remove": {
        const at = list.indexOf(value)
        if (at === -1) return { ok: false, value }
        list.splice(at, 1)
        return { ok: true, value }
      }
    }
  }

  /** The whole state as bytes, in an order that depends on the state alone. */
  snapshot(): Uint8Array {
    const numbers: Array<number> = [this.chain, this.applied, this.registers.size]
    for (const key of [...this.registers.keys()].sort((a, b) => a - b))
      numbers.push(key, this.registers.get(key) as number)
    for (const key of [...this.lists.keys()].sort((a, b) => a - b)) {
      const list = this.lists.get(key) as ReadonlyArray<number>
      numbers.push(key, list.length, ...list)
    }
    const bytes = new Uint8Array(numbers.length * 4)
    numbers.forEach((number, i) => putNumber(bytes, i * 4, number))
    return bytes
  }

  /** Replaces the state by a snapshot's. */
  restore(bytes: Uint8Array): void {
    let at = 0
    const read = (): number => {
      const value = getNumber(bytes, at)
      at += 4
      return value
    }
    this.chain = read() | 0
    this.applied = read()
    this.registers = new Map()
    this.lists = new Map()
    for (let left = read(); left > 0; left--) {
      const key = read()
      this.registers.set(key, read())
    }
    while (at < bytes.length) {
      const key = read()
      const list: Array<number> = []
      for (let left = read(); left > 0; left--) list.push(read())
      this.lists.set(key, list)
    }
  }
}
