/** Peer connections over TCP: dialling, listening, and links that read into one shared buffer. */
export { TransportError, transportErrorCodes } from "./errors.ts";
export { TcpLink } from "./tcp-link.ts";
export { TcpListener, TcpTransport } from "./tcp-transport.ts";
