/**
 * Errors of a transaction's options: each is in the type only if its option was given. Nothing was written when one of
 * them is raised.
 */
import * as Data from "effect/Data"
import type { Conflict } from "./RetryPolicy.ts"

/** The policy given as `retry` ended. `conflict` is the last lost race. */
export class RetriesExhausted extends Data.TaggedError("RetriesExhausted")<{
  readonly label: string | undefined
  readonly conflict: Conflict
}> {
  override get message(): string {
    const { conflict } = this
    const keys = conflict.keys.map(({ key }) => JSON.stringify(key)).join(", ")
    return (
      `${nameOf(this.label)} lost ${conflict.attempt} attempts in ${conflict.elapsedMillis} ms, the last on ` +
      `${keys === "" ? `${conflict.ranges.length} ranges` : `the keys ${keys}`}; nothing was written. ` +
      `Retry later, or give it a longer policy.`
    )
  }
}

/** The time given as `timeout` passed. Nothing was written. */
export class TransactionTimeout extends Data.TaggedError("TransactionTimeout")<{
  readonly label: string | undefined
  readonly attempts: number
}> {
  override get message(): string {
    return `${nameOf(this.label)} did not commit in the time given, in ${this.attempts} attempts; nothing was written.`
  }
}

const nameOf = (label: string | undefined): string =>
  label === undefined ? "The transaction" : `The transaction "${label}"`
