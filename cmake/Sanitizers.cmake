function(qdit_enable_sanitizers target)
  if(QDIT_SANITIZE)
    target_compile_options(${target} PUBLIC
      -fsanitize=${QDIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(${target} PUBLIC -fsanitize=${QDIT_SANITIZE})
  endif()
endfunction()
