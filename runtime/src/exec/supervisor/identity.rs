//! Calls that ask or say who a process is.

use nix::errno::Errno;
use nix::libc;

use super::World;
use super::caller::{read_memory, write_memory};
use super::credentials::{Credentials, KEEP, Kind};
use super::kernel::{self, Answer, Call};

/// Supplementary groups that the kernel takes.
const MOST_GROUPS: u64 = 65_536;

/// The answer to such a call; nothing when it is another.
pub(super) fn answer(world: &mut World, call: &Call) -> Option<Answer> {
    let id = |number: usize| call.args[number] as u32;
    let three = [id(0), id(1), id(2)];
    let value = |id: u32| Some(Answer::Value(i64::from(id)));
    let user = || world.who(call.pid).user;
    let group = || world.who(call.pid).group;
    match call.number {
        libc::SYS_getuid => return value(user().real),
        libc::SYS_geteuid => return value(user().effective),
        libc::SYS_getgid => return value(group().real),
        libc::SYS_getegid => return value(group().effective),
        libc::SYS_getresuid => return Some(told(world, call, Kind::User)),
        libc::SYS_getresgid => return Some(told(world, call, Kind::Group)),
        // They answer with what was before, and cannot fail. The ID itself stays: nobody asks for it again.
        libc::SYS_setfsuid => return value(user().effective),
        libc::SYS_setfsgid => return value(group().effective),
        libc::SYS_getgroups => return Some(groups(world, call)),
        // The limit that says who a process is stays as it is; it limits nothing.
        libc::SYS_setrlimit => return Some(Answer::Value(0)),
        libc::SYS_prlimit64 => return Some(limit(call)),
        _ => {}
    }
    let mut who = world.who(call.pid).clone();
    let done = match call.number {
        libc::SYS_setuid => who.become_one(Kind::User, id(0)),
        libc::SYS_setgid => who.become_one(Kind::Group, id(0)),
        libc::SYS_setreuid => who.become_two(Kind::User, id(0), id(1)),
        libc::SYS_setregid => who.become_two(Kind::Group, id(0), id(1)),
        libc::SYS_setresuid => who.become_three(Kind::User, three),
        libc::SYS_setresgid => who.become_three(Kind::Group, three),
        libc::SYS_setgroups => set_groups(&mut who, call),
        libc::SYS_prctl => {
            who.keeps = call.args[1] != 0;
            Ok(())
        }
        _ => return None,
    };
    let done = done.and_then(|()| {
        if *world.who(call.pid) == who {
            return Ok(());
        }
        // A process that ended meanwhile may have left its number to another.
        if !kernel::still_waits(&world.listener, call.id) {
            return Err(Errno::ESRCH);
        }
        world.become_somebody(call.pid, who)
    });
    Some(done.map_or_else(Answer::Error, |()| Answer::Value(0)))
}

fn limit(call: &Call) -> Answer {
    let [_, _, new, old, ..] = call.args;
    if new == 0 {
        return Answer::Continue;
    }
    let unlimited = [libc::RLIM_INFINITY.to_ne_bytes(), libc::RLIM_INFINITY.to_ne_bytes()].concat();
    let done = if old == 0 { Ok(()) } else { write_memory(call.pid, old, &unlimited) };
    done.map_or_else(Answer::Error, |()| Answer::Value(0))
}

fn told(world: &World, call: &Call, kind: Kind) -> Answer {
    let ids = world.who(call.pid).ids(kind);
    for (address, id) in call.args.into_iter().zip([ids.real, ids.effective, ids.saved]) {
        if let Err(errno) = write_memory(call.pid, address, &id.to_ne_bytes()) {
            return Answer::Error(errno);
        }
    }
    Answer::Value(0)
}

fn groups(world: &World, call: &Call) -> Answer {
    let groups = &world.who(call.pid).groups;
    let room = call.args[0] as u32 as i32;
    let Ok(room) = usize::try_from(room) else { return Answer::Error(Errno::EINVAL) };
    if room > 0 {
        if room < groups.len() {
            return Answer::Error(Errno::EINVAL);
        }
        let bytes: Vec<u8> = groups.iter().flat_map(|gid| gid.to_ne_bytes()).collect();
        if !bytes.is_empty()
            && let Err(errno) = write_memory(call.pid, call.args[1], &bytes)
        {
            return Answer::Error(errno);
        }
    }
    Answer::Value(groups.len() as i64)
}

fn set_groups(who: &mut Credentials, call: &Call) -> Result<(), Errno> {
    let count = call.args[0] & u64::from(u32::MAX);
    if count > MOST_GROUPS {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; count as usize * 4];
    if !bytes.is_empty() {
        read_memory(call.pid, call.args[1], &mut bytes)?;
    }
    let groups: Vec<u32> =
        bytes.chunks_exact(4).map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]])).collect();
    if groups.contains(&KEEP) {
        return Err(Errno::EINVAL);
    }
    who.set_groups(groups)
}
