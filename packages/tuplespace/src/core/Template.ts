/**
 * Templates and matching (Linda: Gelernter 1985, "Generative communication in Linda"). Pure.
 *
 * A template has a place for every field of a tuple: an *actual* matches by value; a *formal* by kind: `any`, `is(schema)`
 * or `where(predicate)`, a predicate named in the space's definition. A tuple matches when it has the template's arity and
 * every field matches.
 */
import * as Equal from "effect/Equal"
import * as Schema from "effect/Schema"

const anyTag: unique symbol = Symbol.for("@weft/tuplespace/any")

/** Matches any value. */
export interface Any {
  readonly [anyTag]: true
}

/** Matches the values of a Schema. */
export class Is<out A> {
  readonly matches: (value: unknown) => value is A
  readonly schema: Schema.Constraint | undefined
  constructor(matches: (value: unknown) => value is A, schema?: Schema.Constraint) {
    this.matches = matches
    this.schema = schema
  }
}

/** Matches the values for which a named predicate answers true. */
export class Where<out Name extends string> {
  readonly predicate: Name
  constructor(predicate: Name) {
    this.predicate = predicate
  }
}

export const any: Any = Object.freeze({ [anyTag]: true as const })
export const is = <S extends Schema.Constraint>(schema: S): Is<S["Type"]> => new Is(Schema.is(schema), schema)
export const where = <const Name extends string>(predicate: Name): Where<Name> => new Where(predicate)

/** Names of the predicates that can look at a field of type `A`. */
export type PredicateFor<A, Ps> = {
  [N in keyof Ps & string]: Ps[N] extends (value: infer V) => boolean ? ([A & V] extends [never] ? never : N) : never
}[keyof Ps & string]

/** What the tuples of a union hold at place `I`. */
type At<T, I> = T extends ReadonlyArray<unknown> ? (I extends keyof T ? T[I] : never) : never

/**
 * What may stand for tuples of type `T`: at every place a value, `any`, `is` or `where`. An `is` may be wider than one kind of
 * tuple, up to what any kind holds at its place: `is(Schema.Literals(["job", "done"]))` matches two kinds.
 */
export type Template<T, Ps = {}, All = T> =
  T extends ReadonlyArray<unknown>
    ? { readonly [I in keyof T]: T[I] | Any | Is<At<All, I>> | Where<PredicateFor<T[I], Ps>> }
    : never

type Place<A, P> = P extends Any ? A : P extends Where<string> ? A : P extends Is<infer B> ? A & B : A & P
type Fields<T, P> = { readonly [I in keyof T]: I extends keyof P ? Place<T[I], P[I]> : T[I] }
type HasNever<T> = true extends { [I in keyof T]: [T[I]] extends [never] ? true : false }[keyof T & number]
  ? true
  : false

/** The tuples of `T` that a template can match, each place narrowed to what the template says of it. */
export type Match<T, P> =
  T extends ReadonlyArray<unknown>
    ? P extends ReadonlyArray<unknown>
      ? T["length"] extends P["length"]
        ? HasNever<Fields<T, P>> extends true
          ? never
          : Fields<T, P>
        : never
      : never
    : never

export type Predicates = Readonly<Record<string, (value: never) => boolean>>

/** A template made ready: where its indexable literals stand, and what is left to look at. */
export interface Compiled {
  readonly arity: number
  /** The template itself. */
  readonly places: ReadonlyArray<unknown>
  /** Bit i is set when place i is an actual that can be indexed (a primitive). Places from 31 on are never indexed. */
  readonly mask: number
  /** Index key of those actuals. */
  readonly literals: unknown
  /** Looks at the places that the index did not. Throws `PredicateFailed`. */
  readonly rest: (tuple: ReadonlyArray<unknown>) => boolean
}

/** A predicate threw: its own take is told, nobody else is harmed. */
export class PredicateFailed extends Error {
  readonly predicate: string
  constructor(predicate: string, cause: unknown) {
    super(`the predicate "${predicate}" threw: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = "PredicateFailed"
    this.predicate = predicate
  }
}

/** A template that names no predicate of the space. */
export class UnknownPredicate extends Error {
  constructor(predicate: string, known: ReadonlyArray<string>) {
    super(`the space defines no predicate "${predicate}"; it defines ${known.length === 0 ? "none" : known.join(", ")}`)
    this.name = "UnknownPredicate"
  }
}

/** Greatest place that can stand in an index mask. */
const indexedMax = 31

const isIndexable = (value: unknown): boolean =>
  value === null || (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol")

/** Makes a template ready. Throws `UnknownPredicate`. Cost: O(arity). */
export const compile = (template: ReadonlyArray<unknown>, predicates: Predicates): Compiled => {
  let mask = 0
  const tests: Array<(tuple: ReadonlyArray<unknown>) => boolean> = []
  for (let i = 0; i < template.length; i++) {
    const place = template[i]
    if (place === any) continue
    if (place instanceof Is) tests.push((tuple) => place.matches(tuple[i]))
    else if (place instanceof Where) tests.push(predicateAt(i, place.predicate, predicates))
    else if (i < indexedMax && isIndexable(place)) mask |= 1 << i
    else tests.push((tuple) => Equal.equals(place, tuple[i]))
  }
  const rest =
    tests.length === 0
      ? always
      : tests.length === 1
        ? tests[0]!
        : (tuple: ReadonlyArray<unknown>) => tests.every((test) => test(tuple))
  return { arity: template.length, places: template, mask, literals: literalsOf(template, mask), rest }
}

const always = (): boolean => true

const predicateAt = (place: number, name: string, predicates: Predicates) => {
  const predicate = Object.hasOwn(predicates, name) ? predicates[name] : undefined
  if (predicate === undefined) throw new UnknownPredicate(name, Object.keys(predicates))
  return (tuple: ReadonlyArray<unknown>): boolean => {
    try {
      // The template's type has checked that the place may be given to the predicate; untyped callers learn it here.
      return predicate(tuple[place] as never) === true
    } catch (cause) {
      throw new PredicateFailed(name, cause)
    }
  }
}

/**
 * Index key of the places in `mask`: the value itself for one place, a string that keeps types and lengths apart for
 * several. Equal keys mean equal values (`-0` is `0`, `NaN` is `NaN`).
 */
export const literalsOf = (tuple: ReadonlyArray<unknown>, mask: number): unknown => {
  if (mask === 0) return undefined
  if ((mask & (mask - 1)) === 0) return tuple[31 - Math.clz32(mask)]
  let key = ""
  for (let rest = mask; rest !== 0; rest &= rest - 1) {
    const value = tuple[31 - Math.clz32(rest & -rest)]
    const text = typeof value === "string" ? value : String(value)
    key += `${typeof value === "object" ? "null" : typeof value}:${text.length}:${text};`
  }
  return key
}

/** Whether the places of `mask` hold values that can be indexed in this tuple. */
export const isIndexableAt = (tuple: ReadonlyArray<unknown>, mask: number): boolean => {
  for (let rest = mask; rest !== 0; rest &= rest - 1) {
    if (!isIndexable(tuple[31 - Math.clz32(rest & -rest)])) return false
  }
  return true
}

/** Whether a tuple fits. Throws `PredicateFailed`. */
export const fits = (template: Compiled, tuple: ReadonlyArray<unknown>): boolean =>
  template.arity === tuple.length &&
  isIndexableAt(tuple, template.mask) &&
  sameLiterals(literalsOf(tuple, template.mask), template.literals) &&
  template.rest(tuple)

/** As the keys of a Map are compared. */
const sameLiterals = (a: unknown, b: unknown): boolean => a === b || Object.is(a, b)

/** A template's places for people. */
export const show = (place: unknown): unknown =>
  place === any ? "any" : place instanceof Is ? "is" : place instanceof Where ? `where(${place.predicate})` : place
