/**
 * The bytes of plain values (`PlainCodec.ts`), as `SchemaBinary` writes them. Pure: between two calls nothing is kept.
 */
import { Kind, type Node } from "./PlainNode.ts"
import { codecBytes, headerBytes } from "./ValueCodec.ts"

/** Greatest frame of the short way: beyond it what it saves is lost in copying. */
const frameBytesMax = 4096
const utf8 = new TextEncoder()
const scratch = new Uint8Array(frameBytesMax)
const scratchView = new DataView(scratch.buffer)
const integerMax = 2 ** 48 - 1
const envelope = 0x20
/** Bytes of a tag and a number at most, of a tag and the size of what follows. */
const scalarBytesMax = 24

/** The bytes of a value of which `take` has made sure, with their header; `undefined` when they are too many. */
export const bytesOf = (node: Node, value: unknown, schema: number): Uint8Array | undefined => {
  scratch[headerBytes + 1] = envelope
  const body = headerBytes + 2
  const end = sized(
    headerBytes,
    node.kind === Kind.tuple
      ? putTuple(node.elements, value as ReadonlyArray<unknown>, body)
      : putStruct(node, value as Record<string, unknown>, body)
  )
  if (end < 0) return undefined
  scratch[0] = codecBytes.binary
  scratch[1] = schema >> 8
  scratch[2] = schema & 255
  return scratch.slice(0, end)
}

/** Ends a part whose size is kept a byte at `at`. All parts begin and end by a place in the scratch; -1: too large. */
const sized = (at: number, end: number): number => {
  const size = end - at - 1
  if (size < 0x80) {
    if (end >= 0) scratch[at] = size
    return end
  }
  if (end >= frameBytesMax) return -1
  scratch.copyWithin(at + 2, at + 1, end)
  scratch[at] = (size & 0x7f) | 0x80
  scratch[at + 1] = size >>> 7
  return end + 1
}

const putStruct = ({ byId }: Node, value: Record<string, unknown>, at: number): number => {
  for (let i = 0; i < byId.length && at >= 0; i++) {
    const { isOptional, name, node, tag } = byId[i]!
    const part = value[name]
    if (part === undefined && isOptional) continue
    if (at + scalarBytesMax > frameBytesMax) return -1
    const start = at
    for (let j = 0; j < tag.length; j++) scratch[at++] = tag[j]!
    at = putField(node, part, start, at)
  }
  return at
}

/** The kind of a payload, in the lowest bits of its tag. */
const Wire = { sized: 0, varint: 1, fixed64: 2, false: 3, true: 4, decimal: 5 } as const

/** `tag` is the place of the tag's first byte. */
const putField = (node: Node, value: unknown, tag: number, at: number): number => {
  switch (node.leaf) {
    case Kind.int:
      scratch[tag]! |= Wire.varint
      return putNumber(value as number, at)
    case Kind.number:
      return putAnyNumber(value as number, tag, at)
    case Kind.boolean:
      scratch[tag]! |= value === true ? Wire.true : Wire.false
      return at
    case Kind.string:
      return sized(at, putString(value as string, at + 1))
    case Kind.array:
      return sized(at, putArray(node.element!, value as ReadonlyArray<unknown>, at + 1))
    default:
      return sized(at, putStruct(node, value as Record<string, unknown>, at + 1))
  }
}

const putUvarint = (n: number, at: number): number => {
  for (; n >= 0x80; n = n < 0x8000_0000 ? n >>> 7 : Math.floor(n / 0x80)) scratch[at++] = (n & 0x7f) | 0x80
  scratch[at] = n
  return at + 1
}

const putNumber = (n: number, at: number): number =>
  n < 0 || (n === 0 && 1 / n < 0) ? putUvarint(-n * 2 + 1, at) : putUvarint(n * 2, at)

const putAnyNumber = (n: number, tag: number, at: number): number => {
  if (Number.isInteger(n) && n >= -integerMax && n <= integerMax) {
    scratch[tag]! |= Wire.varint
    return putNumber(n, at)
  }
  const scale = scaleOf(n)
  if (scale > 0) {
    scratch[tag]! |= Wire.decimal
    return putUvarint(scale, putNumber(Math.round(n * powers[scale]!), at))
  }
  scratch[tag]! |= Wire.fixed64
  scratchView.setFloat64(at, n, true)
  return at + 8
}

const powers = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8] as const
const mantissaMax = 2 ** 41 - 1

/** Digits after the point with which a number is short and exact, else 0. */
const scaleOf = (n: number): number => {
  for (let scale = 1; scale < powers.length; scale++) {
    const power = powers[scale]!
    const mantissa = Math.round(n * power)
    if (!(mantissa >= -mantissaMax && mantissa <= mantissaMax)) return 0
    if (mantissa / power === n) return scale
  }
  return 0
}

const putString = (s: string, at: number): number => {
  const { length } = s
  if (at + 3 * length + scalarBytesMax > frameBytesMax) return -1
  for (let i = 0; i < length; i++) {
    const c = s.charCodeAt(i)
    if (c > 0x7f) return s.isWellFormed() ? at + utf8.encodeInto(s, scratch.subarray(at)).written : -1
    scratch[at + i] = c
  }
  return at + length
}

const putArray = (element: Node, values: ReadonlyArray<unknown>, at: number): number => {
  at = putUvarint(values.length, at)
  for (let i = 0; i < values.length && at >= 0; i++) {
    if (at + scalarBytesMax > frameBytesMax) return -1
    const value = values[i]
    if (element.kind === Kind.string) at = sized(at, putString(value as string, at + 1))
    else if (element.kind === Kind.int) at = putNumber(value as number, at)
    else scratch[at++] = value === true ? 1 : 0
  }
  return at
}

const putTuple = (elements: ReadonlyArray<Node>, values: ReadonlyArray<unknown>, at: number): number => {
  for (let i = 0; i < elements.length && at >= 0; i++) {
    if (at + scalarBytesMax > frameBytesMax) return -1
    const value = values[i]
    switch (elements[i]!.leaf) {
      case Kind.int:
        at = putNumber(value as number, at)
        break
      case Kind.boolean:
        scratch[at++] = value === true ? 1 : 0
        break
      case Kind.string:
        at = sized(at, putString(value as string, at + 1))
        break
      default:
        // Its kind is told by its size, which takes the place of the tag.
        at = sized(at, putAnyNumber(value as number, at, at + 1))
    }
  }
  return at
}
