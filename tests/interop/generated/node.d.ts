// What the programs here use of Node.js.
declare module "node:assert/strict" {
    const assert: {
        equal(actual: unknown, expected: unknown): void;
        deepEqual(actual: unknown, expected: unknown): void;
    };
    export default assert;
}
declare const process: { readonly argv: string[] };
