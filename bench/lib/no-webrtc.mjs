// webtorrent imports a WebRTC binding whose binary npm does not carry; TCP and uTP do not need it.
import { registerHooks } from "node:module";

const stub = "export const RTCPeerConnection = undefined, RTCSessionDescription = undefined, RTCIceCandidate = undefined";
registerHooks({
  resolve: (name, ctx, next) =>
    name === "webrtc-polyfill" ? { url: `data:text/javascript,${encodeURIComponent(stub)}`, shortCircuit: true } : next(name, ctx),
});
