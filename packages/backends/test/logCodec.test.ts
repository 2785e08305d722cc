/**
 * Rows of the log: golden bytes (what is on the disk already must be read for ever), the same bytes whether those of a
 * value were made before or not, and back. Replay with `WEFT_SEED=<seed> npx vitest run packages/backends/test/logCodec.test.ts`.
 */
import * as Schema from "effect/Schema"
import { expect, it } from "vitest"
import { Codec } from "@weft/domain/Codec"
import { Value } from "@weft/domain/core/Value"
import * as Prng from "@weft/domain/testing/Prng"
import { type Batch, decodeBatch, LogWriter } from "../src/internal/file/logCodec.ts"

const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/backends/test/logCodec.test.ts`

const texts = new Codec(Schema.String)
const numbers = new Codec(Schema.Number)

/** A row of one delta that comes to this batch. */
const rowOf = (writer: LogWriter, { commits, outcomes }: Batch): string => {
  const taken = commits.map(({ id, resolvedBelow, version }) => {
    return { id, resolvedBelow, committed: true, tookNumber: true, version }
  })
  return hexOf(writer.encode([{ commits, outcomes: [...taken, ...outcomes] }]))
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** With the bytes of every value made, as after a reading. */
const made = (batch: Batch): Batch => ({
  ...batch,
  commits: batch.commits.map((commit) => ({
    ...commit,
    changes: commit.changes.map(({ after, before, key }) => ({
      key,
      before: before && { ...before, value: new Value(before.value.bytes) },
      after: after && { ...after, value: new Value(after.value.bytes) }
    }))
  }))
})

it("a row has the bytes that it always had", () => {
  const text = (s: string) => ({ value: texts.encode(s, 0x0102, ""), version: 6 })
  const batch: Batch = {
    commits: [
      {
        _tag: "Commit",
        version: 7,
        id: { session: "S", sequence: 3 },
        atMillis: 1,
        resolvedBelow: 2,
        changes: [
          { key: "a\xff", before: text("old"), after: { ...text("new"), version: 7 } },
          { key: "b", before: text("é"), after: undefined }
        ]
      }
    ],
    outcomes: [{ id: { session: "T", sequence: 1 }, resolvedBelow: 1, committed: false, tookNumber: false, version: 7 }]
  }
  expect(rowOf(new LogWriter(), batch)).toBe(
    "0100000001401c0000000000003ff0000000000000015340080000000000004000000000000000" +
      "000000020002" +
      "61ff03" +
      "4018000000000000" +
      "000000060301026f6c64" +
      "000000060301026e6577" +
      "000162" +
      "01" +
      "4018000000000000" +
      "00000005030102c3a9" +
      "0000000101543ff00000000000003ff000000000000000401c000000000000"
  )
})

it("a value gives the same row whether its bytes were made or not, and is read back", () => {
  const random = Prng.make(seed)
  const writer = new LogWriter()
  const value = (): Value => {
    if (random.chance(0.3)) return numbers.encode(random.below(1000), 1, "")
    // Short and long ones, beyond the first room of the writer, of ASCII and not.
    const s = random
      .pick(["", "a", "\x7f", "é", "\x80", "\u{1f600}"])
      .repeat(random.pick([1, 47, 48, 49, 1000, 40_000]))
    return texts.encode(s, random.below(0x10000), "")
  }
  for (let run = 0; run < 200; run++) {
    const commits = Array.from({ length: random.below(5) }, (_, i) => ({
      _tag: "Commit" as const,
      version: run * 10 + i + 1,
      id: { session: "s".repeat(random.between(1, 60)), sequence: random.below(2 ** 40) },
      atMillis: random.below(2 ** 40),
      resolvedBelow: random.below(2 ** 40),
      changes: Array.from({ length: random.below(4) }, () => ({
        key: random.pick(["k", "\x00\xff", "long".repeat(200)]),
        before: random.chance(0.5) ? { value: value(), version: random.below(2 ** 43) } : undefined,
        after: random.chance(0.7) ? { value: value(), version: run * 10 + i + 1 } : undefined
      }))
    }))
    const batch: Batch = { commits, outcomes: [] }
    const row = rowOf(writer, batch)
    expect(rowOf(writer, made(batch)) === row, replay).toBe(true)
    expect(rowOf(writer, made(decodeBatch(Buffer.from(row, "hex")))) === row, replay).toBe(true)
  }
})
