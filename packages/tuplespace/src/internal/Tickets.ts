/** Tickets of waiting takers as they stand in a store. */
import { Value } from "@weft/domain/core/Value"
import * as Bytes from "@weft/domain/core/ValueCodec"
import { compile, show, type Compiled, type PredicateFailed, type Predicates } from "../core/Template.ts"
import { fromData, type TemplateData, toData } from "../core/TemplateData.ts"

/** What a ticket says. */
export interface TicketRecord {
  /** The session of the taker. */
  readonly sid: string
  /** Names the take within its process. */
  readonly nonce: string
  /** Absent when only the taker's process can decide it. */
  readonly template?: TemplateData | undefined
  /** For people. */
  readonly shown: ReadonlyArray<unknown>
}

export const recordOf = (sid: string, nonce: string, template: ReadonlyArray<unknown>): TicketRecord => ({
  sid,
  nonce,
  template: toData(template),
  shown: template.map((place) => {
    const shown = show(place)
    return typeof shown === "bigint" || shown === undefined ? String(shown) : shown
  })
})

export const toValue = (record: TicketRecord): Value =>
  new Value(Bytes.encodeString(JSON.stringify(record), 0, Bytes.codecBytes.json))

const remembered = new WeakMap<Value, TicketRecord>()

/** The record of a ticket's cell; read once per value. */
export const ofValue = (value: Value): TicketRecord => {
  const known = remembered.get(value)
  if (known !== undefined) return known
  const record = JSON.parse(Bytes.decodeString(value.bytes, Bytes.codecBytes.json)) as TicketRecord
  remembered.set(value, record)
  return record
}

/** Templates of tickets made ready, by nonce: a taker's own as it gave it, others' from their data. */
export class Readied {
  private readonly own = new Map<string, Compiled>()
  private readonly failures = new Map<string, PredicateFailed>()
  private readonly foreign = new WeakMap<TicketRecord, Compiled>()
  private readonly predicates: Predicates

  constructor(predicates: Predicates) {
    this.predicates = predicates
  }

  add(nonce: string, compiled: Compiled): void {
    this.own.set(nonce, compiled)
  }

  /** A predicate threw: its taker is told, if it is of this process. */
  failed(nonce: string, error: PredicateFailed): void {
    if (this.own.has(nonce)) this.failures.set(nonce, error)
  }

  /** Own takes whose predicate threw since this was asked last. */
  takeFailures(): ReadonlyArray<readonly [nonce: string, error: PredicateFailed]> {
    if (this.failures.size === 0) return []
    const failures = [...this.failures]
    this.failures.clear()
    return failures
  }

  drop(nonce: string): void {
    this.own.delete(nonce)
    this.failures.delete(nonce)
  }

  isOwn(nonce: string): boolean {
    return this.own.has(nonce)
  }

  get size(): number {
    return this.own.size
  }

  /** `undefined` for a private template of another process. */
  of(record: TicketRecord): Compiled | undefined {
    const known = this.own.get(record.nonce) ?? this.foreign.get(record)
    if (known !== undefined || record.template === undefined) return known
    const compiled = compile(fromData(record.template), this.predicates)
    this.foreign.set(record, compiled)
    return compiled
  }
}
