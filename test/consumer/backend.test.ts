import { BackendSuite } from "@weft/domain/testing"
import { layer } from "./TinyBackend.ts"
BackendSuite.suite("a third party's store", { layer: () => layer(), lanes: ["effect"] })
