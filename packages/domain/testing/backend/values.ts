/** Values of the suite and how it prints what a store holds. Pure. */
import type { Cell, Entry } from "../../src/core/Commit.ts"
import { toCounter, Value } from "../../src/core/Value.ts"

/** A codec byte that no codec of the product uses. */
const codecByte = 0x7e

/** A value of text. */
export const text = (content: string): Value => {
  const body = new TextEncoder().encode(content)
  const bytes = new Uint8Array(3 + body.length)
  bytes[0] = codecByte
  bytes.set(body, 3)
  return new Value(bytes)
}

/** A value of bytes as they are. */
export const raw = (bytes: Iterable<number>): Value => new Value(Uint8Array.from(bytes))

/** What a value holds: the text, the number, or its bytes in hexadecimal. */
export const show = (value: Value): string | number => {
  const number = toCounter(value)
  if (number !== undefined) return number
  const { bytes } = value
  return bytes[0] === codecByte ? new TextDecoder().decode(bytes.subarray(3)) : Buffer.from(bytes).toString("hex")
}

/** A cell as `[content, version]`. */
export const showCell = (cell: Cell | undefined): readonly [string | number, number] | undefined =>
  cell && [show(cell.value), cell.version]

/** An entry as `[key, content, version]`. */
export const showEntry = ({ cell, key }: Entry): readonly [string, string | number, number] => [
  key,
  show(cell.value),
  cell.version
]
