/**
 * `@weft/domain`: keys, cells, the contract of a store, transactions and collections. Each module is also a subpath.
 */
export { Backend, type Capabilities } from "./Backend.ts"
export * as RetryPolicy from "./RetryPolicy.ts"
export type { Conflict } from "./RetryPolicy.ts"
export { Store } from "./Store.ts"
export {
  CommitUnknown,
  Corrupt,
  Denied,
  InvalidInput,
  LimitExceeded,
  SchemaMismatch,
  StoreError,
  Unavailable,
  Undecodable
} from "./StoreError.ts"
export { Transaction } from "./Transaction.ts"
export * as Tx from "./Tx.ts"
export type { Fn, NamespaceMismatch, Needs, RetryError, StoreOf, TimeoutError } from "./Tx.ts"
export { RetriesExhausted, TransactionTimeout } from "./TxError.ts"
