/**
 * `@weft/domain`: keys, cells, the contract of a store, transactions and collections. Each module is also a subpath.
 */
export { Backend, type Capabilities } from "./Backend.ts"
export * as Changes from "./Changes.ts"
export type { Added, Change, Deleted, Evicted, Gap, Updated } from "./Changes.ts"
export * as DCounter from "./DCounter.ts"
export * as DMap from "./DMap.ts"
export type { Versioned } from "./DMap.ts"
export * as DQueue from "./DQueue.ts"
export type { Delivery } from "./DQueue.ts"
export * as DRef from "./DRef.ts"
export * as DSet from "./DSet.ts"
export * as DStruct from "./DStruct.ts"
export * as Key from "./Key.ts"
export type { Range } from "./KeyRange.ts"
export * as RetryPolicy from "./RetryPolicy.ts"
export type { Conflict } from "./RetryPolicy.ts"
export type { Migration } from "./SchemaRegistry.ts"
export * as Sessions from "./Sessions.ts"
export { type Session, SessionLost } from "./Sessions.ts"
export {
  type ChangesOptions,
  type Contents,
  type NamedStore,
  type Readable,
  Store,
  type StoreOptions,
  type StoreStatics
} from "./Store.ts"
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
export * as Namespaces from "./Namespaces.ts"
export { Transaction } from "./Transaction.ts"
export * as Tx from "./Tx.ts"
export type { Fn, NamespaceMismatch, Needs, RetryError, StoreOf, TimeoutError } from "./Tx.ts"
export { RetriesExhausted, TransactionTimeout } from "./TxError.ts"
export * as View from "./View.ts"
export type { Viewed } from "./View.ts"
