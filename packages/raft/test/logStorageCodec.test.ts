/** Bytes of batches and checksums: golden bytes, every single flipped bit, records that changed places. */
import { crc32 as nativeCrc32 } from "node:zlib"
import { describe, expect, it } from "vitest"
import type { Entry } from "../src/core/Types.ts"
import { decodeBatch, encodeBatch } from "../src/internal/batchCodec.ts"
import { crc32 } from "../src/internal/crc32.ts"
import { decodeChecked, encodeChecked, lostFrom, withTruncation, type Head } from "../src/internal/headCodec.ts"
import { subtract, unite } from "../src/internal/logExtent.ts"
import { entries, entry } from "../testing/logStorage/support.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const sessions: Entry = { ...entry(8, 3, 4, "closeSession"), session: 5, sequence: 6, resolved: 2 ** 50 }

describe("batches", () => {
  it("format 1 is written as it always was: old logs are read by new programs", () => {
    expect(hex(encodeBatch([entry(7, 2, 3), sessions]))).toBe(
      "01000000" +
        "02000000" +
        "0000000000001c40" +
        "0f000000" +
        "28000000" +
        golden.directory +
        golden.first +
        golden.second
    )
  })

  it("what is encoded is decoded", () => {
    const batch = [...entries(7, 9), sessions].map((one, at) => ({ ...one, index: 7 + at }))
    const decoded = decodeBatch(encodeBatch(batch), 7)
    expect(decoded?.entries.map((one) => ({ ...one, data: hex(one!.data) }))).toEqual(
      batch.map((one) => ({ ...one, data: hex(one.data) }))
    )
  })

  it("every flipped bit of a batch is seen, and costs one record at most unless it is in the directory", () => {
    const bytes = encodeBatch([entry(7, 2, 30), sessions])
    const directory = 16 + 2 * 4 + 4
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const decoded = decodeBatch(bytes, 7)
      if (bit >> 3 < directory) expect(decoded, `bit ${bit}`).toBe(undefined)
      else expect(decoded?.entries.filter((one) => one === undefined).length, `bit ${bit}`).toBe(1)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
  })

  it("every cut of a batch is seen", () => {
    const bytes = encodeBatch(entries(1, 3))
    for (let length = 0; length < bytes.length; length++) {
      const decoded = decodeBatch(bytes.subarray(0, length), 1)
      expect(decoded === undefined || decoded.entries.includes(undefined), `${length} bytes`).toBe(true)
    }
  })

  it("records that changed places, and a batch in the place of another, are damage", () => {
    const bytes = encodeBatch(entries(7, 8))
    const directory = 16 + 2 * 4 + 4
    const size = (bytes.length - directory) / 2
    const first = Uint8Array.from(bytes.subarray(directory, directory + size))
    bytes.copyWithin(directory, directory + size)
    bytes.set(first, directory + size)
    expect(decodeBatch(bytes, 7)?.entries).toEqual([undefined, undefined])
    expect(decodeBatch(encodeBatch(entries(7, 8)), 9)).toBe(undefined)
  })
})

const golden = {
  directory: "972e8cb7",
  first: "34b6184e" + "0100" + "020000000000" + "e7e8e9",
  second:
    "3f3a3173" + "0701" + "030000000000" + "0000000000001440" + "0000000000001840" + "0000000000001043" + "0d0e0f10"
}

describe("checksums", () => {
  it("equal the native ones for every length and seed", () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, at) => (at * 37) & 0xff)
    for (let to = 0; to <= 300; to++) {
      expect(crc32(bytes, 3, Math.max(3, to), 99)).toBe(nativeCrc32(bytes.subarray(3, Math.max(3, to)), 99))
    }
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926)
  })

  it("know what they cover: a head is no snapshot", () => {
    expect(decodeChecked("head", encodeChecked("head", { a: 1 }))).toEqual({ a: 1 })
    expect(decodeChecked("headCopy", encodeChecked("head", { a: 1 }))).toBe(undefined)
    expect(decodeChecked("head", new Uint8Array(3))).toBe(undefined)
  })
})

describe("what is lost behind a mark", () => {
  const head = (fields: Partial<Head>): Head => ({
    log: "x",
    seq: 5,
    hardState: { term: 1, vote: undefined, commit: 0, recoverTo: 0 },
    first: 1,
    last: 10,
    tail: null,
    snapshot: { row: 0, index: 0 },
    damaged: [],
    truncations: [],
    ...fields
  })

  it("without truncations, what stands after the recovered end", () => {
    expect(lostFrom(head({}), head({ seq: 7, last: 14 }))).toBe(11)
  })

  it("with truncations since, from the lowest of them", () => {
    const truncations = [
      { seq: 4, from: 2 },
      { seq: 6, from: 8 },
      { seq: 7, from: 9 }
    ]
    expect(lostFrom(head({}), head({ seq: 7, truncations }))).toBe(8)
    expect(lostFrom(head({ first: 9 }), head({ seq: 7, truncations }))).toBe(9)
  })

  it("many truncations are merged to what cuts at least as much", () => {
    let truncations: Head["truncations"] = []
    for (let seq = 1; seq <= 40; seq++) truncations = withTruncation(truncations, seq, 100 - seq)
    expect(truncations.length).toBe(16)
    for (let seq = 0; seq < 40; seq++) {
      expect(lostFrom(head({ seq, last: 200 }), head({ seq: 40, truncations }))).toBeLessThanOrEqual(100 - 40)
    }
  })
})

describe("ranges", () => {
  it("unite and subtract like sets of indexes", () => {
    const members = (ranges: ReadonlyArray<{ readonly from: number; readonly to: number }>): string =>
      Array.from({ length: 12 }, (_, at) => (ranges.some(({ from, to }) => from <= at && at <= to) ? at : "-")).join(
        " "
      )
    const base = [
      { from: 2, to: 4 },
      { from: 7, to: 8 }
    ]
    for (let from = 0; from < 12; from++) {
      for (let to = from - 1; to < 12; to++) {
        const range = from <= to ? [{ from, to }] : []
        const united = unite(base, from, to)
        expect(members(united)).toBe(members([...base, ...range]))
        expect(united.every((one, at) => at === 0 || united[at - 1]!.to + 1 < one.from)).toBe(true)
        const indexes = members(base).split(" ")
        const expected = indexes.map((one, at) => (from <= at && at <= to ? "-" : one)).join(" ")
        expect(members(subtract(base, from, to))).toBe(expected)
      }
    }
  })
})
