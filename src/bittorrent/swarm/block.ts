/** What peers ask for in one request; BEP 3, "request". */
export const BLOCK_LENGTH = 16_384;
