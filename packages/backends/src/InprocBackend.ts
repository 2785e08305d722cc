/**
 * The store in this process: nothing to install, nothing survives the process. See `@weft/domain/MemoryBackend`.
 */
export { layer, make, of, type Options } from "@weft/domain/MemoryBackend"
