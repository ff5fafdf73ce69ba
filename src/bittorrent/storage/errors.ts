import { CodedError } from "#/base/errors.ts";

/** Every code of StorageError with what it means. */
export const storageErrorCodes = {
  STORAGE_DISK_FULL: "the file system has no room left",
  STORAGE_QUOTA_EXCEEDED: "the disk quota of this user is used up",
  STORAGE_READ_ONLY: "the file system is mounted read-only",
  STORAGE_NO_PERMISSION: "the operating system does not let this user open, make or change the file",
  STORAGE_IO_FAILED: "the disk reported a read or write failure",
  STORAGE_FILE_MISSING: "a file or folder that should be there is not",
  STORAGE_FILE_TRUNCATED: "a file ends before the bytes that should be in it",
  STORAGE_FILE_TOO_LARGE: "the file system or a limit does not allow a file of this size",
  STORAGE_NAME_TOO_LONG: "the file system does not take a name or path of this length",
  STORAGE_TOO_MANY_OPEN_FILES: "the process or the system has no file descriptor left",
  STORAGE_NOT_A_FILE: "there is something else than a regular file where a file should be",
  STORAGE_NOT_A_FOLDER: "there is something else than a folder where a folder should be",
  STORAGE_OUTSIDE_FOLDER: "a symbolic link leads out of the download folder",
  STORAGE_SYNC_FAILED: "an earlier attempt to make written data durable failed, so what is on disk is no longer known",
  STORAGE_SYSTEM_ERROR: "the operating system refused for a reason without a code of its own; details.errno has its name",
  STORAGE_BAD_RANGE: "the caller asked for bytes outside the torrent or a piece",
  STORAGE_CLOSED: "the storage was closed before the call",
  STORAGE_WORKER_FAILED: "a disk thread ended by itself",
} as const;

export type StorageErrorCode = keyof typeof storageErrorCodes;

/** A disk fault or a wrong use of the storage; `details.path` names the file where there is one, `details.errno` the system's code. */
export class StorageError extends CodedError<StorageErrorCode> {}

const codeByErrno: Readonly<Record<string, StorageErrorCode>> = {
  ENOSPC: "STORAGE_DISK_FULL",
  EDQUOT: "STORAGE_QUOTA_EXCEEDED",
  EROFS: "STORAGE_READ_ONLY",
  EACCES: "STORAGE_NO_PERMISSION",
  EPERM: "STORAGE_NO_PERMISSION",
  EIO: "STORAGE_IO_FAILED",
  ENOENT: "STORAGE_FILE_MISSING",
  EFBIG: "STORAGE_FILE_TOO_LARGE",
  ENAMETOOLONG: "STORAGE_NAME_TOO_LONG",
  EMFILE: "STORAGE_TOO_MANY_OPEN_FILES",
  ENFILE: "STORAGE_TOO_MANY_OPEN_FILES",
  EISDIR: "STORAGE_NOT_A_FILE",
  ENOTDIR: "STORAGE_NOT_A_FOLDER",
};

/**
 * The StorageError of a failed system call.
 * @param errno the system's name of it ("ENOSPC"), or one of our own codes as the disk threads report them
 */
export function storageErrorOf(
  errno: string,
  where: { readonly path: string; readonly operation: string },
  details: Readonly<Record<string, string | number>> = {},
  cause?: unknown,
): StorageError {
  const own = errno in storageErrorCodes ? (errno as StorageErrorCode) : undefined;
  const code = own ?? codeByErrno[errno] ?? "STORAGE_SYSTEM_ERROR";
  const info = { ...details, path: where.path, operation: where.operation, ...(own === undefined && { errno }) };
  return new StorageError(code, `cannot ${where.operation} ${where.path}: ${storageErrorCodes[code]}`, {
    fault: "local",
    details: info,
    cause,
  });
}

/** The StorageError of whatever a file system call threw; a StorageError is returned as it is. */
export function toStorageError(error: unknown, where: { readonly path: string; readonly operation: string }): StorageError {
  if (error instanceof StorageError) return error;
  const errno = (error as NodeJS.ErrnoException | undefined)?.code ?? "UNKNOWN";
  return storageErrorOf(errno, where, {}, error);
}
