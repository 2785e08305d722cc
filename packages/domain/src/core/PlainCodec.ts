/**
 * The short way of plain values: structs, arrays within them, and tuples, of numbers, strings, booleans and literals. Pure.
 *
 * Law: where it answers, its bytes are those of `SchemaBinary`'s codec in its default mode, and its copy equals what
 * decoding them gives. Everything else, above all each value that does not fit, it leaves to that codec, which knows why;
 * so an answer is needed only for values that are common. Random Schemas and values hold the two against each other
 * (`test/plainCodec.test.ts`). It exists because Schema's interpreter takes four times as long to say yes.
 *
 * The format, of which a struct of five fields uses all: a frame is its size and one byte of envelope; a struct is its
 * fields in the order of their ids (FNV-1a of the name), each a tag (`id * 8 + kind`) and a payload by its kind; a tuple is
 * the payloads of its elements, each after its size unless its kind tells it; numbers are `2 * magnitude + sign`; all sizes, tags and numbers are little-endian base 128.
 */
import type * as SchemaAST from "effect/SchemaAST"
import { bytesOf } from "./PlainBytes.ts"
import { Kind, type Node, nodeOf } from "./PlainNode.ts"

/** A value that was accepted: its bytes with their header, and a deeply frozen copy. */
export interface Plain {
  readonly bytes: Uint8Array
  readonly copy: unknown
}

/** Accepts a value, or `undefined`: ask `SchemaBinary`. */
export type Encoder = (input: unknown, schema: number) => Plain | undefined

/** The short way for a Schema, `undefined` where it has none. */
export const encoderOf = (ast: SchemaAST.AST): Encoder | undefined => {
  const node = nodeOf(ast)
  if (node?.kind !== Kind.struct && node?.kind !== Kind.tuple) return undefined
  return (input, schema) => encode(node, input, schema)
}

/** A test that says yes to values of a primitive Schema with checks; after a no, ask Schema. `undefined` for other Schemas. */
export const testOf = (ast: SchemaAST.AST): ((input: unknown) => boolean) | undefined => {
  const node = nodeOf(ast)
  if (node === undefined || node.checks.length === 0) return undefined
  return (input) => {
    try {
      return isLeaf(node, input)
    } catch {
      return false
    }
  }
}

const encode = (node: Node, input: unknown, schema: number): Plain | undefined => {
  let copy: unknown
  try {
    copy = take(node, input)
  } catch {
    return undefined
  }
  if (copy === no) return undefined
  const bytes = bytesOf(node, copy, schema)
  return bytes === undefined ? undefined : { bytes, copy }
}

/** Says that a value is not for the short way. */
const no: unique symbol = Symbol("not plain")

const parseOptions: SchemaAST.ParseOptions = {}

/** A frozen copy of a value that fits. All that may run code of others is here: accessors, proxies, checks. */
const take = (node: Node, input: unknown): unknown => {
  switch (node.kind) {
    case Kind.struct:
      return takeStruct(node, input)
    case Kind.array:
      return takeArray(node.element!, input)
    case Kind.tuple:
      return takeTuple(node.elements, input)
    case Kind.literal:
      return Object.is(input, node.literal) ? input : no
    default:
      return isLeaf(node, input) ? input : no
  }
}

/** Greatest magnitude that stays exact when it is doubled. */
const magnitudeMax = 2 ** 52 - 1

const isLeaf = ({ ast, checks, kind }: Node, input: unknown): boolean => {
  if (kind === Kind.string ? typeof input !== "string" : kind === Kind.boolean && typeof input !== "boolean")
    return false
  if (kind === Kind.number && typeof input !== "number") return false
  if (kind === Kind.int && !(Number.isSafeInteger(input) && Math.abs(input as number) <= magnitudeMax)) return false
  for (let i = 0; i < checks.length; i++) if (checks[i]!.run(input, ast, parseOptions) !== undefined) return false
  return true
}

const takeStruct = ({ fields }: Node, input: unknown): unknown => {
  if (typeof input !== "object" || input === null) return no
  const proto: unknown = Object.getPrototypeOf(input)
  if (proto !== Object.prototype && proto !== null) return no
  const record = input as Record<string, unknown>
  const out: Record<string, unknown> = {}
  for (let i = 0; i < fields.length; i++) {
    const { isOptional, name, node } = fields[i]!
    const value = record[name]
    if (value === undefined) {
      if (!isOptional || Object.hasOwn(record, name)) return no
    } else {
      const copy = take(node, value)
      if (copy === no) return no
      out[name] = copy
    }
  }
  return Object.freeze(out)
}

const takeArray = (element: Node, input: unknown): unknown => {
  if (!Array.isArray(input)) return no
  // What is frozen all the way down is as good as a copy, and slow to copy.
  const out: ReadonlyArray<unknown> = Object.isFrozen(input) ? input : input.slice()
  for (let i = 0; i < out.length; i++) if (!isLeaf(element, out[i])) return no
  return Object.freeze(out)
}

const takeTuple = (elements: ReadonlyArray<Node>, input: unknown): unknown => {
  if (!Array.isArray(input) || input.length !== elements.length || Object.getPrototypeOf(input) !== Array.prototype)
    return no
  const out: ReadonlyArray<unknown> = input.slice()
  for (let i = 0; i < elements.length; i++) if (take(elements[i]!, out[i]) === no) return no
  return Object.freeze(out)
}
