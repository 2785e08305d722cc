/** The exported suite over a store that is none of ours, in three lines. */
import { BackendSuite } from "@weft/domain/testing"
import { layer } from "./ThirdPartyBackend.ts"

BackendSuite.suite("third party", { layer: () => layer() })
