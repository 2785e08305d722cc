/**
 * What all collections are made of: a name with its prefix, codecs, the registration of their schema, and operations over
 * a `TxView`. Values whose Schema may suspend or needs services are encoded and decoded between two runs of the same
 * operation, inside one transaction; all others within the operation itself.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { Codec, invalidFrom, NeedsEffect, undecodable } from "./Codec.ts"
import { isExpired } from "./core/Envelope.ts"
import { fromBytes, type Key } from "./core/Key.ts"
import { encode, encodePart } from "./core/KeyCodec.ts"
import { Value } from "./core/Value.ts"
import { encodeString, schemaNumberOf } from "./core/ValueCodec.ts"
import * as Operation from "./internal/Operation.ts"
import type { StoreKey } from "./internal/StoreShape.ts"
import type { TxView } from "./internal/TxView.ts"
import type { KeyOf } from "./Key.ts"
import { type Migration, type Opened, Registration } from "./SchemaRegistry.ts"
import { Store } from "./Store.ts"
import { InvalidInput, make as storeError, type StoreError } from "./StoreError.ts"
import { withinTransaction } from "./internal/Within.ts"

/** Options shared by all collections. */
export interface Options<Id> {
  /** The store it lives in: `Store` unless given, or a class made by `Store.named`. */
  readonly store?: StoreKey<Id> | undefined
  /** How long a value lives after it was set, unless its own `set` says otherwise. By the wall clocks of writer and reader. */
  readonly timeToLive?: Duration.Input | undefined
}

/** Results of encodings and decodings that could not be had within the operation. */
export class Resolved {
  readonly encoded = new Map<unknown, unknown>()
  readonly decoded = new Map<string, unknown>()
  readonly steps: Array<unknown> = []
  /** Next step of this run. */
  step = 0
}

/** Thrown through an operation to have effects run before its next run. */
class Pending {
  readonly effect: Effect.Effect<unknown, StoreError, unknown>
  constructor(effect: Effect.Effect<unknown, StoreError, unknown>) {
    this.effect = effect
  }
}

/** What a running operation works with. */
export interface Access {
  readonly tx: TxView
  readonly opened: Opened
  /** Defined only for Schemas that may need an effect. */
  readonly resolved: Resolved | undefined
}

/** Value of index cells: there is nothing to say but that they are there. */
export const marker = new Value(encodeString("", 0))

export interface CollectionOptions<A> {
  readonly name: string
  readonly kind: string
  readonly store?: StoreKey<any> | undefined
  readonly key?: KeyOf<any> | undefined
  readonly value?: Codec<A> | undefined
  readonly timeToLive?: Duration.Input | undefined
  readonly migrations?: ReadonlyArray<Migration<any, unknown>> | undefined
}

/** One collection, without the methods of its kind. */
export class Collection<A> {
  readonly name: string
  readonly store: StoreKey<any>
  /** `(name, true)`: items. */
  readonly items: Key
  /** `(name, false)`: indexes. */
  readonly index: Key
  /** `(name, null)`: counters. */
  readonly meta: Key
  /** `undefined` where there is no value to decode. */
  readonly codec: Codec<A> | undefined
  readonly timeToLiveMillis: number | undefined
  readonly registration: Registration
  readonly #flexible: boolean

  constructor(options: CollectionOptions<A>) {
    const { key, kind, name } = options
    if (typeof name !== "string" || name.length === 0) throw new RangeError(`a ${kind} needs a name that is not empty`)
    this.name = name
    this.store = options.store ?? Store
    this.items = encode([name, true])
    this.index = encode([name, false])
    this.meta = encode([name, null])
    this.codec = options.value
    this.timeToLiveMillis = millisOf(options.timeToLive)
    this.#flexible = options.value?.mayNeedEffect ?? false
    this.registration = new Registration({
      name,
      kind,
      store: this.store,
      key: key?.shape,
      value: options.value?.shape,
      migrations: options.migrations
    })
  }

  /**
   * An operation. `run` encodes and decodes before it writes, so that a run that had to wait for a codec left nothing.
   */
  operation<B>(label: string, run: (access: Access) => B): Effect.Effect<B, StoreError, any> {
    const { registration } = this
    if (this.#flexible) return this.#flexibly(label, run)
    return Operation.make(
      this.store,
      label,
      (tx) => run({ tx, opened: registration.at(tx.store), resolved: undefined }),
      registration
    )
  }

  #flexibly<B>(label: string, run: (access: Access) => B): Effect.Effect<B, StoreError, any> {
    const once = (resolved: Resolved) =>
      Operation.make(
        this.store,
        label,
        (tx) => {
          resolved.step = 0
          try {
            // What was thrown by the view passes through.
            return run({ tx, opened: this.registration.at(tx.store), resolved })
          } catch (error) {
            if (error instanceof Pending) return error
            throw error
          }
        },
        this.registration
      )
    const loop = (resolved: Resolved): Effect.Effect<B, StoreError, any> =>
      Effect.flatMap(once(resolved), (result) =>
        result instanceof Pending ? Effect.andThen(result.effect, loop(resolved)) : Effect.succeed(result)
      )
    // Most answer at once all the same; only when one did not are the runs held together by a transaction.
    return Effect.flatMap(
      Effect.suspend(() => once(new Resolved())),
      (result) =>
        result instanceof Pending
          ? withinTransaction(
              this.store,
              Effect.suspend(() => loop(new Resolved()))
            )
          : Effect.succeed(result)
    )
  }

  /** Encodes a value for `key`. Throws `StoreError` (`InvalidInput`). */
  encode({ opened, resolved }: Access, input: unknown, key: Key, codec: Codec<any> = this.codec!): Value {
    if (resolved?.encoded.has(input)) return codec.encoded(input, resolved.encoded.get(input), opened.number, key)
    if (resolved === undefined) return codec.encode(input, opened.number, key)
    try {
      return codec.encode(input, opened.number, key)
    } catch (error) {
      if (!(error instanceof NeedsEffect)) throw error
      const effect = Effect.mapError(error.effect, (issue) => invalidFrom(key, issue, input))
      throw new Pending(Effect.map(effect, (encoded) => void resolved.encoded.set(input, encoded)))
    }
  }

  /** Decodes the value of `key`, whatever schema number it was written under. Throws `StoreError` (`Undecodable`, `SchemaMismatch`). */
  decode(access: Access, value: Value, key: Key, codec: Codec<any> | undefined = this.codec): A {
    if (codec === undefined || value.codec === codec) return value.decoded as A
    const { opened, resolved } = access
    const number = schemaNumberOf(value.bytes)
    const reader = number === opened.number ? undefined : this.registration.reader(access.tx, opened, number)
    const read = reader === undefined ? (v: Value) => codec.decode(v, key) : (v: Value) => reader(v, key)
    if (resolved === undefined) return read(value) as A
    const memo = fromBytes(value.bytes)
    if (resolved.decoded.has(memo)) return resolved.decoded.get(memo) as A
    try {
      return read(value) as A
    } catch (error) {
      if (!(error instanceof NeedsEffect)) throw error
      const effect = Effect.mapError(error.effect, (issue) => undecodable(key, issue.message))
      throw new Pending(Effect.map(effect, (decoded) => void resolved.decoded.set(memo, decoded)))
    }
  }

  /** Decodes many; what needs effects is run together. */
  decodeAll<B>(access: Access, items: ReadonlyArray<B>, decode: (item: B) => A): ReadonlyArray<A> {
    if (access.resolved === undefined) return items.map(decode)
    const pending: Array<Effect.Effect<unknown, StoreError, unknown>> = []
    const out = items.map((item) => {
      try {
        return decode(item)
      } catch (error) {
        if (!(error instanceof Pending)) throw error
        pending.push(error.effect)
        return undefined as A
      }
    })
    if (pending.length > 0) throw new Pending(Effect.all(pending, { discard: true, concurrency: 8 }))
    return out
  }

  /** The result of a caller's function, run once per attempt however often the operation is. */
  once<B>({ resolved }: Access, f: () => B): B {
    if (resolved === undefined) return f()
    const step = resolved.step++
    if (step >= resolved.steps.length) resolved.steps.push(f())
    return resolved.steps[step] as B
  }

  /** When a value set now ends, `undefined` for never. */
  deadline(tx: TxView, timeToLive: Duration.Input | undefined): number | undefined {
    const millis = timeToLive === undefined ? this.timeToLiveMillis : millisOf(timeToLive)
    return millis === undefined ? undefined : tx.nowMillis() + millis
  }

  /** The cell of the expiry index for an item: `(name, false, deadline, key)`. */
  expiryKey(deadline: number, key: Key): Key {
    return this.index + encodePart(deadline) + key.slice(this.items.length)
  }

  /** The value of a key, `undefined` also when its time is over. */
  live(tx: TxView, key: Key): Value | undefined {
    const value = tx.get(key)
    return value === undefined || isExpired_(tx, value) ? undefined : value
  }
}

/** Whether a value's time is over by the clock of this attempt. Asks the clock only for values that end. */
export const isExpired_ = (tx: TxView, value: Value): boolean =>
  value.codec === undefined && (value.bytes[0]! & 0x80) !== 0 && isExpired(value, tx.nowMillis())

/** Milliseconds of a time to live. Throws `StoreError` (`InvalidInput`) when it is not positive; infinite is `undefined`. */
export const millisOf = (input: Duration.Input | undefined): number | undefined => {
  if (input === undefined) return undefined
  const millis = Duration.toMillis(Duration.fromInputUnsafe(input))
  if (millis > 0) return Number.isFinite(millis) ? millis : undefined
  throw storeError(new InvalidInput({ message: `a time must be longer than 0, not ${millis} milliseconds` }))
}

/** A codec for the Schema of a collection's values. */
export const codecOf = <S extends Schema.Constraint>(schema: S): Codec<S["Type"]> => new Codec(schema)
