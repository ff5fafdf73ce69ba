/** What peer connections run on. Each transport dials, listens and gives links that the swarm takes over. */
export { TcpLink, TcpListener, TcpTransport, TransportError, transportErrorCodes } from "./tcp/index.ts";
