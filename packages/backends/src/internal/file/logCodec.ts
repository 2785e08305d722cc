/**
 * One batch as a row of the log: its commits with the cells before and after, and the outcomes that took no number. Pure.
 *
 * Layout (big endian): format byte 1; count of commits (u32); each: version, atMillis, session (u8 length), sequence,
 * resolvedBelow, count of changes (u32), each: key (u16 length), flags (1: before, 2: after), before as version, length
 * (u32) and bytes, after as length and bytes (its version is the commit's); then count of outcomes (u32), each: session,
 * sequence, resolvedBelow, committed (u8), version. Numbers without a width are float64, which safe integers fit exactly.
 */
import { Value } from "@weft/domain/core/Value"
import { headerBytes, writeTextHeader } from "@weft/domain/core/ValueCodec"
import type { CommitRecord, KeyChange } from "@weft/domain/core/Commit"
import type { Delta, OutcomeRecord } from "@weft/domain/core/Apply"

/** What a row of the log holds. */
export interface Batch {
  readonly commits: ReadonlyArray<CommitRecord & { readonly resolvedBelow: number }>
  /** Ids that took no number: rejected, sealed, or without effect. */
  readonly outcomes: ReadonlyArray<OutcomeRecord>
}

const formatByte = 1

/** Characters up to which a loop writes a text faster than a call of Buffer. */
const loopMax = 48

/** Grows by doubling; one for all rows of a store, as a batch is encoded in one go. */
export class LogWriter {
  private bytes = Buffer.allocUnsafe(64 * 1024)
  private view = viewOf(this.bytes)
  private at = 0

  /** The row of what was done, in order; a view that is valid until the next call. */
  encode(deltas: ReadonlyArray<Pick<Delta, "commits" | "outcomes">>): Uint8Array {
    this.at = 0
    this.u8(formatByte)
    let commitCount = 0
    let outcomeCount = 0
    for (const { commits, outcomes } of deltas) {
      commitCount += commits.length
      outcomeCount += outcomes.length - commits.length
    }
    this.u32(commitCount)
    for (const { commits, outcomes } of deltas) {
      let next = 0
      // Each commit has an outcome that took its number, in the same order.
      for (const { resolvedBelow, tookNumber } of outcomes) {
        if (tookNumber) this.commit(commits[next++]!, resolvedBelow)
      }
    }
    this.u32(outcomeCount)
    for (const { outcomes } of deltas) {
      for (const outcome of outcomes) if (!outcome.tookNumber) this.outcome(outcome)
    }
    return this.bytes.subarray(0, this.at)
  }

  private commit({ atMillis, changes, id, version }: CommitRecord, resolvedBelow: number): void {
    this.f64(version)
    this.f64(atMillis)
    this.session(id.session)
    this.f64(id.sequence)
    this.f64(resolvedBelow)
    this.u32(changes.length)
    for (const change of changes) this.change(change)
  }

  private outcome({ committed, id, resolvedBelow, version }: OutcomeRecord): void {
    this.session(id.session)
    this.f64(id.sequence)
    this.f64(resolvedBelow)
    this.u8(committed ? 1 : 0)
    this.f64(version)
  }

  private change({ after, before, key }: KeyChange): void {
    this.room(key.length + 32)
    this.view.setUint16(this.at, key.length)
    this.at += 2
    this.latin1(key)
    this.u8((before === undefined ? 0 : 1) | (after === undefined ? 0 : 2))
    if (before !== undefined) {
      this.f64(before.version)
      this.value(before.value)
    }
    if (after !== undefined) this.value(after.value)
  }

  private room(more: number): void {
    if (this.at + more <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + more))
    this.bytes.copy(grown, 0, 0, this.at)
    this.bytes = grown
    this.view = viewOf(grown)
  }

  private u8(n: number): void {
    this.room(1)
    this.bytes[this.at++] = n
  }

  private u32(n: number): void {
    this.room(4)
    this.view.setUint32(this.at, n)
    this.at += 4
  }

  private f64(n: number): void {
    this.room(8)
    this.view.setFloat64(this.at, n)
    this.at += 8
  }

  private session(name: string): void {
    this.room(name.length + 1)
    this.bytes[this.at++] = name.length
    this.latin1(name)
  }

  /** Into room that was made. */
  private latin1(text: string): void {
    if (text.length > loopMax) this.bytes.write(text, this.at, "latin1")
    else for (let i = 0; i < text.length; i++) this.bytes[this.at + i] = text.charCodeAt(i)
    this.at += text.length
  }

  private value(value: Value): void {
    const { size } = value
    this.u32(size)
    this.room(size)
    const { ascii } = value
    if (ascii === undefined) {
      this.bytes.set(value.bytes, this.at)
      this.at += size
      return
    }
    writeTextHeader(this.bytes, this.at, ascii.schema)
    this.at += headerBytes
    this.latin1(ascii.text)
  }
}

const viewOf = ({ buffer, byteLength, byteOffset }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

/** What of a row is wanted: whole cells, keys alone, or only what became of which id; each costs a fraction of the one before. */
export type Wanted = "cells" | "keys" | "ids"

/** The inverse. Throws `RangeError` for bytes that are no row; a checksum has been compared before. */
export const decodeBatch = (row: Uint8Array, wanted: Wanted = "cells"): Batch => {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  let at = 0
  const u32 = (): number => {
    at += 4
    return bytes.readUInt32BE(at - 4)
  }
  const f64 = (): number => {
    at += 8
    return bytes.readDoubleBE(at - 8)
  }
  const text = (length: number): string => {
    at += length
    return bytes.toString("latin1", at - length, at)
  }
  const value = (): Value => {
    const length = u32()
    at += length
    return new Value(bytes.subarray(at - length, at))
  }
  const skipBlob = (): void => {
    const length = u32()
    at += length
  }
  const skipCells = (flags: number): void => {
    if (flags & 1) {
      at += 8
      skipBlob()
    }
    if (flags & 2) skipBlob()
  }
  if (bytes[at++] !== formatByte) throw new RangeError(`a log row has the unknown format ${bytes[0]}`)
  const commits: Array<CommitRecord & { readonly resolvedBelow: number }> = []
  for (let n = u32(); n > 0; n--) {
    const version = f64()
    const atMillis = f64()
    const id = { session: text(bytes[at++]!), sequence: f64() }
    const resolvedBelow = f64()
    const changes: Array<KeyChange> = []
    for (let m = u32(); m > 0; m--) {
      at += 2
      const keyLength = bytes.readUInt16BE(at - 2)
      if (wanted === "ids") {
        at += keyLength
        skipCells(bytes[at++]!)
        continue
      }
      const key = text(keyLength)
      const flags = bytes[at++]!
      if (wanted === "keys") {
        skipCells(flags)
        changes.push({ key })
        continue
      }
      const before = flags & 1 ? { version: f64(), value: value() } : undefined
      const after = flags & 2 ? { version, value: value() } : undefined
      changes.push({ key, before, after })
    }
    commits.push({ _tag: "Commit", version, atMillis, id, resolvedBelow, changes })
  }
  const outcomes: Array<OutcomeRecord> = []
  for (let n = u32(); n > 0; n--) {
    const id = { session: text(bytes[at++]!), sequence: f64() }
    outcomes.push({ id, resolvedBelow: f64(), committed: bytes[at++] === 1, tookNumber: false, version: f64() })
  }
  return { commits, outcomes }
}
